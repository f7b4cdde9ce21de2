--- The look of the HTML report: light and dark, wide and narrow. The colours of texts keep a
--- contrast of 4.5 and more to what is behind them (WCAG 2.2, 1.4.3). Pure.

return [[
:root{color-scheme:light dark;--back:#fff;--card:#f6f7f9;--ink:#1c2230;--soft:#586174;
--rule:#d9dde5;
--link:#0b5cad;--good:#187a3f;--bad:#c02a2a;--careful:#96590a;--busy:#2563c9;--queue:#c9ced8;
--start:#94b3e8;--good-back:#e6f5eb;--bad-back:#fcebea;--careful-back:#fdf2dd;--busy-back:#e8effc}
@media (prefers-color-scheme:dark){:root{--back:#12151b;--card:#1b2029;--ink:#e7eaf0;--soft:#a3acbd;
--rule:#353c4a;--link:#84b8f5;--good:#5fce88;--bad:#ff8c86;--careful:#eab658;--busy:#86aef7;
--queue:#4a5364;--start:#41639f;--good-back:#16301f;--bad-back:#3b1c1d;--careful-back:#372a12;
--busy-back:#1a2947}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1160px;padding:24px 20px 48px;background:var(--back);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
h1{font-size:26px;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:17px;margin:32px 0 10px}
p{margin:6px 0}
a{color:var(--link)}
code,pre{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
overflow-wrap:anywhere}
code{background:var(--card);border-radius:4px;padding:1px 4px}
pre{background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:8px 10px;
margin:6px 0;
white-space:pre-wrap;max-height:420px;overflow:auto}
.soft,.note{color:var(--soft)}
.note{font-size:13px}
.badge{display:inline-block;border-radius:999px;padding:1px 12px;font-size:17px;font-weight:600;
vertical-align:3px;margin-left:8px;border:1px solid currentColor;white-space:nowrap}
.badge,.said{color:var(--bad)}
.badge{background:var(--bad-back)}
.said{font-weight:600;white-space:nowrap}
.succeeded.badge{color:var(--good);background:var(--good-back)}
.succeeded.said{color:var(--good)}
.cancelled.badge,.timed_out.badge,.detached.badge{color:var(--careful);
background:var(--careful-back)}
.cancelled.said,.timed_out.said{color:var(--careful)}
.running.badge{color:var(--busy);background:var(--busy-back)}
.running.said,.ready.said{color:var(--busy)}
.skipped.said,.pending.said{color:var(--soft);font-weight:400}
dl{display:flex;flex-wrap:wrap;gap:6px 28px;margin:14px 0 0}
dl div{min-width:0}
dt{color:var(--soft);font-size:13px}
dd{margin:0;overflow-wrap:anywhere}
.box{border:1px solid var(--rule);border-left:4px solid var(--bad);border-radius:6px;
padding:10px 16px;
margin:20px 0 0;background:var(--card)}
.box.next{border-left-color:var(--busy)}
.box h2{margin:0 0 4px;font-size:15px}
.box ul{margin:0;padding-left:20px}
.box li{margin:3px 0;overflow-wrap:anywhere}
.box code{background:var(--back)}
.scroll{overflow-x:auto;border:1px solid var(--rule);border-radius:6px}
.graph{display:block}
.graph .box{fill:var(--back);stroke:var(--soft);stroke-width:1.5}
.graph a{text-decoration:none}
.graph a:hover .name,.graph a:focus .name{text-decoration:underline}
.graph text{fill:var(--ink);font:13px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
.graph .name{font-weight:600}
.graph .fact{font-size:12px;fill:var(--soft)}
.graph .sign{font-size:16px;font-weight:700;fill:var(--bad)}
.graph .line{fill:none;stroke:var(--soft);stroke-width:1.5;opacity:.65}
.graph .apart{fill:none;stroke:var(--soft);stroke-dasharray:4 4}
.node .box{stroke:var(--bad);fill:var(--bad-back)}
.node.succeeded .box{stroke:var(--good);fill:var(--good-back)}
.node.succeeded .sign{fill:var(--good)}
.node.cancelled .box,.node.timed_out .box{stroke:var(--careful);fill:var(--careful-back)}
.node.cancelled .sign,.node.timed_out .sign{fill:var(--careful)}
.node.running .box,.node.ready .box{stroke:var(--busy);fill:var(--busy-back)}
.node.running .sign,.node.ready .sign{fill:var(--busy)}
.node.skipped .box,.node.pending .box{stroke:var(--soft);stroke-dasharray:4 3;fill:var(--back)}
.node.skipped .sign,.node.pending .sign{fill:var(--soft)}
.legend{font-size:13px;color:var(--soft);display:flex;flex-wrap:wrap;gap:2px 6px;align-items:center}
.legend .key{display:inline-block;width:18px;height:14px;vertical-align:-2px}
.legend span{white-space:nowrap;margin-right:10px}
.gantt{position:relative;--who:200px;overflow:hidden;padding-bottom:2px}
.row{position:relative;display:flex;align-items:center;height:24px}
.who{width:var(--who);flex:none;padding-right:10px;white-space:nowrap;overflow:hidden;
text-overflow:ellipsis;color:var(--ink);text-decoration:none;font-size:13px}
.who:hover{text-decoration:underline}
.item .who{padding-left:18px;color:var(--soft)}
.track{display:block;flex:1;min-width:0;height:14px;overflow:visible}
.axis{position:absolute;left:var(--who);width:calc(100% - var(--who));top:0;height:100%;
overflow:visible;pointer-events:none}
.axis line{stroke:var(--rule)}
.axis text{font:12px system-ui,Arial,sans-serif;fill:var(--soft)}
.axis .edge{text-anchor:end}
.axis+.row{margin-top:22px}
.queue{fill:var(--queue)}
.start{fill:var(--start)}
.work,.span{fill:var(--bad);rx:2px}
.work.succeeded,.span.succeeded{fill:var(--good)}
.work.cancelled,.work.timed_out,.span.cancelled,.span.timed_out{fill:var(--careful)}
.work.running,.span.running{fill:var(--busy)}
.stripes{stroke:var(--back);stroke-width:14;stroke-dasharray:3 6;opacity:.4}
.pause{stroke:var(--soft);stroke-width:2;stroke-dasharray:2 3}
table{width:100%;border-collapse:collapse;table-layout:fixed}
caption{text-align:left;color:var(--soft);font-size:13px;padding:2px 0 6px}
th,td{text-align:left;vertical-align:top;padding:8px 10px 8px 0;border-top:1px solid var(--rule);
overflow-wrap:anywhere;font-weight:400}
thead th{color:var(--soft);font-size:13px;border-top:0;padding-bottom:4px}
th .name{font-weight:600}
.one{width:24%}.two{width:13%}.three{width:10%}.four{width:11%}
td p,th p{margin:0 0 3px}
tr:target{background:var(--card)}
details>summary{cursor:pointer;color:var(--link);padding:1px 0}
details table{font-size:14px;margin:4px 0 10px}
td.wide{border-top:0;padding:0 0 8px 18px}
footer{margin-top:36px;color:var(--soft);font-size:13px}
@media (max-width:640px){
body{padding:16px 14px 40px}
h1{font-size:22px}
.badge{font-size:15px}
.row{display:block;height:auto;padding:3px 0}
.who{display:block;width:auto}
.gantt{--who:0px}
.track{width:100%}
.axis text:nth-of-type(even){display:none}
.axis .late{text-anchor:end}
.one{width:auto}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
tr{display:block;border-top:1px solid var(--rule);padding:8px 0}
th[scope=row],td{display:block;border:0;padding:1px 0}
td.two,td.three,td.four{display:inline-block;width:auto;margin-right:14px}
td.none{display:none}
tr.more{border:0;padding:0}
td.wide{padding-left:10px}
}
@media print{.scroll{overflow:visible}pre{max-height:none}}
]]
