-- A plan as text for Mermaid and for Graphviz. The texts here were drawn by both.

local graph = require "luafabric.view.graph"
local reference = require "luafabric.workflow.reference"

local function step(fields)
  fields.kind = fields.kind or "notebook"
  fields.after, fields.fields = fields.after or {}, fields.fields or {}
  fields.when = fields.when or { kind = fields.is_finally and "all_done" or "all_succeeded" }
  return fields
end

local function plan_of(order, finally)
  return { name = "nightly", order = order, finally = finally or {} }
end

local function example()
  local ingest = step { name = "ingest", fields = { notebook = "Ingest orders" } }
  local clean = step { name = "clean", kind = "each", items = { "eu", "us" }, after = { ingest },
    fields = { notebook = function() end } }
  local load_step = step { name = "load", kind = "switch", on = reference.exit(ingest, "mode"),
    after = { ingest }, default = false,
    branches = { full = { fields = { notebook = "Full load" } }, delta = { fields = {} } } }
  local publish = step { name = "Publish", after = { clean, load_step }, may_fail = true,
    when = { kind = "any_succeeded" } }
  local report = step { name = "report", is_finally = true, when = { kind = "any_failed" } }
  return plan_of({ ingest, clean, load_step, publish }, { report })
end

describe("a graph", function()
  it("is a flowchart for Mermaid", function()
    assert.equal([=[
flowchart TD
  subgraph main ["nightly"]
    s1["ingest<br/>Ingest orders"]
    s2[["clean<br/>each of 2 items<br/>by item"]]
    s3{"load<br/>by ${ingest.exit.mode}"}
    s3_1["load"]
    s3_2["Full load"]
    s3_end(( ))
    s4["Publish<br/>may fail"]
  end
  subgraph last ["finally"]
    s5["report<br/>any_failed"]
  end
  s3 -->|"delta"| s3_1
  s3_1 --> s3_end
  s3 -->|"full"| s3_2
  s3_2 --> s3_end
  s3 -->|"default: skipped"| s3_end
  s1 --> s2
  s1 --> s3
  s2 -->|"any_succeeded"| s4
  s3_end -->|"any_succeeded"| s4
  main -.-> last
]=], graph.mermaid(example()))
  end)

  it("is a directed graph for Graphviz", function()
    assert.equal([=[
digraph "nightly" {
  compound=true; fontname="sans-serif";
  node [fontname="sans-serif"]; edge [fontname="sans-serif", fontsize=10];
  subgraph cluster_main {
    label="nightly";
    s1 [label="ingest\nIngest orders", shape=box, style=rounded];
    s2 [label="clean\neach of 2 items\nby item", shape=box3d];
    s3 [label="load\nby ${ingest.exit.mode}", shape=diamond];
    s3_1 [label="load", shape=box, style=rounded];
    s3_2 [label="Full load", shape=box, style=rounded];
    s3_end [label="", shape=point, width=0.12];
    s4 [label="Publish\nmay fail", shape=box, style=rounded];
  }
  subgraph cluster_last {
    label="finally";
    s5 [label="report\nany_failed", shape=box, style=rounded];
  }
  s3 -> s3_1 [label="delta"];
  s3_1 -> s3_end;
  s3 -> s3_2 [label="full"];
  s3_2 -> s3_end;
  s3 -> s3_end [label="default: skipped"];
  s1 -> s2;
  s1 -> s3;
  s2 -> s4 [label="any_succeeded"];
  s3_end -> s4 [label="any_succeeded"];
  s4 -> s5 [ltail=cluster_main, lhead=cluster_last, style=dashed];
}
]=], graph.dot(example()))
  end)

  it("says what a step waits for, where that is not what steps wait for", function()
    local check = step { name = "check" }
    local ref = reference.exit(check, "mode")
    for label, when in pairs { any_failed = { kind = "any_failed" },
      ['if check:exit("mode"):is("full")'] = { kind = "condition", condition = ref:is("full") },
      ["if a function says so"] = { kind = "function", fn = function() end } } do
      local waiting = step { name = "x", after = { check }, when = when }
      local drawn = graph.dot(plan_of { check, waiting })
      local edge = ('s1 -> s2 [label="%s"];'):format((label:gsub('"', '\\"')))
      assert(drawn:find(edge, 1, true), drawn)
    end
  end)

  it("draws an each whose items come from a reference", function()
    local check = step { name = "check" }
    local each = step { name = "many", kind = "each", after = { check },
      items = reference.exit(check, "list") }
    assert.matches("many<br/>each of ${check.exit.list}", graph.mermaid(plan_of { check, each }), 1,
      true)
    each.items = { 1 }
    assert.matches("each of 1 item\"", graph.mermaid(plan_of { each }), 1, true)
  end)

  it("draws finally steps that wait for each other, and a workflow of them alone", function()
    local first = step { name = "first", is_finally = true }
    local second = step { name = "second", is_finally = true, after = { first } }
    local drawn = graph.dot(plan_of({}, { first, second }))
    assert.matches("s1 -> s2;", drawn, 1, true)
    assert.is_nil(drawn:find("ltail", 1, true))
  end)
end)

describe("names in a graph", function()
  local function mermaid_of(name)
    return graph.mermaid(plan_of { step { name = name } }):match("s1%[(.-)%]\n")
  end
  local function dot_of(name)
    return graph.dot(plan_of { step { name = name } }):match("s1 %[label=(.-), shape=")
  end

  it("cannot leave Mermaid's quotes, nor be Markdown or HTML there", function()
    for name, expected in pairs {
      ['say "hi"'] = '"say #34;hi#34;"', ["a<b>&c"] = '"a#60;b#62;#38;c"',
      ["a#b;"] = '"a#35;b#59;"', ["`x`"] = '"#96;x#96;"',
      ["%%{init}"] = '"#37;#37;{init}"', ["a\\nb"] = '"a#92;nb"',
      ["*a* _b_ c_d"] = '"#42;a#42; #95;b#95; c_d"', ["1. a"] = '"1#46; a"', ["- a"] = '"#45; a"',
      ["end"] = '"end"', ["日本"] = '"日本"', ["[a](b)|{c}"] = '"[a](b)|{c}"',
    } do
      assert.equal(expected, mermaid_of(name))
    end
  end)

  it("cannot leave the quotes of Graphviz, nor be its escapes", function()
    for name, expected in pairs {
      ['say "hi"'] = '"say \\"hi\\""', ["a\\"] = '"a\\\\"', ["a\\nb"] = '"a\\\\nb"',
      ["\\N"] = '"\\\\N"', ["a<b>&lt;"] = '"a<b>&amp;lt;"', ["日本"] = '"日本"',
    } do
      assert.equal(expected, dot_of(name))
    end
  end)

  it("are one line, and not too long", function()
    assert.equal('"a b?"', dot_of "a\nb\27")
    assert.equal('"' .. ("x"):rep(59) .. '…"', dot_of(("x"):rep(500)))
  end)
end)
