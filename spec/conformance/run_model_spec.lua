-- The model of run requests against Microsoft's published definitions: the same fields with the
-- same types, the same required ones, the same enumerations and numbers; and its sample requests.

local core = require "luafabric.core"
local json = require "luafabric.json"
local schema = require "spec.conformance.schema"
local shared = require "spec.support.shared"

local SAMPLES = "specs/fabric-rest-api-specs/notebook/examples/"
local present = shared.path(SAMPLES .. "RunNotebookWithParameters.json") ~= nil
local model = core.run_model()

-- What the encoder knows beyond the notebook's own schema (checked by itself below), and what it
-- requires by a rule, since it depends on another field.
local BESIDE_THE_SCHEMA = { ["ItemReferenceById.variableReference"] = true }
local REQUIRED_BY_RULE = { ["ItemReferenceById.itemId"] = true,
  ["ItemReferenceById.workspaceId"] = true }

local FILES = { "notebook/definitions.json", "common/job_scheduling.json",
  "common/spark_definitions.json", "common/definitions.json", "variableLibrary/definitions.json" }

-- Names of definitions are the same thing in all of these files.
local function definition(name)
  for _, file in ipairs(FILES) do
    local found = schema.document(file).definitions[name]
    if found then return found end
  end
  error("no definition " .. name)
end

local function resolve(property)
  local reference = property["$ref"]
  return reference and definition(reference:match("[^/]+$")) or property
end

-- The properties of a definition and its parents, and which of them are required.
local function fields_of(found, properties, required)
  for name, property in pairs(found.properties or {}) do properties[name] = property end
  for _, name in ipairs(found.required or {}) do required[name] = true end
  for _, parent in ipairs(found.allOf or {}) do fields_of(resolve(parent), properties, required) end
  return properties, required
end

local function sorted(list)
  local copy = {}
  for index, value in ipairs(list) do copy[index] = value end
  table.sort(copy)
  return copy
end

-- What the definitions say of one property, as the model would say it.
local function as_field(property)
  local found = resolve(property)
  if found.properties or found.allOf or found.discriminator then return "object" end
  if found.enum then return "text", sorted(found.enum) end
  if found.type == "array" then return "list" end
  if found.type == "string" then return found.format == "uuid" and "guid" or "text" end
  if found.type == "object" then return "parameter" end -- a parameter's value: any JSON
  return found.type, found.format
end

-- The name of the definition that an object, or the items of a list, are of.
local function object_name(property)
  local found = resolve(property)
  local reference = found.type == "array" and found.items["$ref"] or property["$ref"]
  local name = reference and reference:match("[^/]+$")
  return name and not definition(name).enum and name or nil
end

-- "Must be one of the following values: 4, 8, 16." stands in descriptions only.
local function numbers_of(description)
  local text = (description or ""):match("[Mm]ust be one of the following values: ([%d, ]+)")
  if not text then return nil end
  local numbers = {}
  for digits in text:gmatch("%d+") do numbers[#numbers + 1] = tonumber(digits) end
  return numbers
end

local function each_object(visit)
  local seen = {}
  local function walk(object)
    if seen[object.name] then return end
    seen[object.name] = true
    visit(object)
    for _, field in ipairs(object.fields) do
      if field.object then walk(field.object) end
    end
  end
  walk(model.request)
  for _, object in pairs(model.execution_data) do walk(object) end
end

local function compare_field(name, field, property)
  local kind, detail = as_field(property)
  assert.equal(kind, field.kind, name)
  assert.equal(object_name(property), field.object and field.object.name, name)
  if kind == "integer" then assert.equal("int32", detail, name) end
  assert.same(kind == "text" and detail or nil, field.words and sorted(field.words), name)
  assert.same(numbers_of(property.description), field.numbers, name)
  local least = (property.description or ""):match("[Tt]he minimum value is (%d+)")
  assert.equal(least and tonumber(least), field.minimum, name)
  local longest = (property.description or ""):match("no longer than (%d+) characters")
  assert.equal(longest and tonumber(longest), field.max_units, name)
end

describe("the model of run requests", function()
  it("has Microsoft's objects, with the same fields and no others", function()
    if not present then return pending(shared.absent) end
    local count = 0
    each_object(function(object)
      local properties, required = fields_of(definition(object.name), {}, {})
      for _, field in ipairs(object.fields) do
        local name = object.name .. "." .. field.name
        local property = properties[field.name]
        if not BESIDE_THE_SCHEMA[name] then
          assert.is_table(property, name .. " is not in the definitions")
          compare_field(name, field, property)
          local is_required = required[field.name] or false
          assert.equal(is_required, field.required or REQUIRED_BY_RULE[name] or false, name)
          count = count + 1
        end
        properties[field.name] = nil
      end
      assert.same({}, properties, object.name .. " lacks fields of the definitions")
    end)
    assert.is_true(count >= 40, count)
  end)

  it("has the fields of references by variable that the common definitions have", function()
    if not present then return pending(shared.absent) end
    local properties, required = fields_of(definition("ItemReferenceByVariable"), {}, {})
    assert.is_true(required.variableReference)
    properties.referenceType, properties.variableReference = nil, nil
    assert.same({}, properties)
  end)

  it("chooses the execution data by the discriminator's values, all of them", function()
    if not present then return pending(shared.absent) end
    local expected, actual = {}, {}
    for name, found in pairs(schema.document("notebook/definitions.json").definitions) do
      for _, parent in ipairs(found.allOf or {}) do
        if parent["$ref"] == "#/definitions/RunNotebookExecutionData" then
          expected[found["x-ms-discriminator-value"]] = name
        end
      end
    end
    for compute, object in pairs(model.execution_data) do actual[compute] = object.name end
    assert.same(expected, actual)
  end)
end)

describe("Microsoft's sample requests", function()
  local names = { "RunSparkNotebookWithRequestBody", "RunJupyterNotebookWithRequestBody",
    "RunDataWarehouseNotebookWithRequestBody", "RunNotebookWithParameters",
    "RunNotebookWithNoRequestBody" }
  for _, name in ipairs(names) do
    it("come out equal in meaning: " .. name, function()
      if not present then return pending(shared.absent) end
      local file = assert(io.open(shared.path(SAMPLES .. name .. ".json"), "rb"))
      local sample = assert(json.decode(file:read("*a"))).parameters.runNotebookRequest
      file:close()
      local text, warnings = core.encode_run(sample or {})
      assert.is_string(text, warnings)
      assert.same(sample or {}, json.decode(text))
      assert.same({}, warnings)
    end)
  end
end)
