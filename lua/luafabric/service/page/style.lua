--- The look of the page: the report's, and what only the page has. Pure.

return require("luafabric.view.html_style") .. [[
[hidden]{display:none!important}
body{padding-top:0}
main:focus{outline:none}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-9999px}
.skip:focus{left:14px;top:6px;background:var(--back);padding:4px 8px}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);margin:0}
.top{display:flex;gap:20px;align-items:center;min-height:52px;
border-bottom:1px solid var(--rule);margin-bottom:24px}
.home{font-weight:700}
button,select,input{font:inherit;color:var(--ink);background:var(--back);
border:1px solid var(--soft);border-radius:6px;padding:5px 12px;max-width:100%}
button{cursor:pointer;background:var(--card)}
button:hover:enabled{border-color:var(--link);color:var(--link)}
button:disabled{opacity:.6;cursor:progress}
.top button{margin-left:auto;font-size:13px;padding:3px 10px}
.notice{border:1px solid var(--rule);border-left:4px solid var(--careful);border-radius:6px;
background:var(--careful-back);padding:8px 14px;margin:0 0 16px;overflow-wrap:anywhere}
.notice.bad{border-left-color:var(--bad);background:var(--bad-back)}
#sign-in label{display:block;margin-bottom:4px}
#sign-in input{width:26em}
.filter{display:flex;flex-wrap:wrap;gap:8px 20px;margin:12px 0 18px}
.queued.badge,.queued.said,.running.said{color:var(--busy)}
.queued.badge{background:var(--busy-back)}
.detached.said,.orphaned.said{color:var(--careful)}
.runs{table-layout:auto}
.runs th,.runs td{padding-right:16px}
.runs tbody th{white-space:nowrap}
.runs .when{white-space:nowrap;font-variant-numeric:tabular-nums}
.runs .note{margin:2px 0 0}
.runs tbody tr:hover{background:var(--card)}
.pages{display:flex;gap:20px;margin-top:16px}
.actions{display:flex;flex-wrap:wrap;gap:12px;margin:20px 0 0;align-items:flex-start}
.action{border:1px solid var(--rule);border-radius:6px;background:var(--card);padding:7px 14px}
.action>summary{color:var(--ink);font-weight:600}
.action[open]{flex:1 1 100%}
.action button{background:var(--back);margin:2px 6px 2px 0}
fieldset{border:1px solid var(--rule);border-radius:6px;margin:8px 0;padding:6px 12px;
max-height:240px;overflow:auto;min-width:0}
fieldset label{display:block;overflow-wrap:anywhere}
legend{font-size:13px;color:var(--soft);padding:0 4px}
input[type=checkbox]{accent-color:var(--busy);margin:0 4px 0 0}
@media (max-width:640px){
.top{margin-bottom:16px}
.runs tbody th,.runs td{display:inline-block;width:auto;margin-right:12px;padding:1px 0}
.runs td.none{display:none}
.runs td:nth-child(2){font-weight:600}
.runs td:nth-child(4),.runs td:nth-child(5),.runs td:nth-child(6){font-size:13px;
color:var(--soft)}
}
]]
