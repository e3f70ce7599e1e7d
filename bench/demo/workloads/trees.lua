-- Tables, strings and closures: binary trees, a word index, and string building.
local function tree(depth)
  if depth == 0 then return {} end
  return {tree(depth - 1), tree(depth - 1)}
end

local function count(node)
  if not node[1] then return 1 end
  return 1 + count(node[1]) + count(node[2])
end

local keep = tree(16)
local nodes = 0
for _ = 1, 90 do nodes = nodes + count(tree(12)) end
print("trees", nodes, count(keep))

local state = 42
local function random(n)
  state = (state * 1103515245 + 12345) % 2147483648
  return state // 65536 % n
end

local index = {}
for line = 1, 60000 do
  local words = {}
  for i = 1, 6 do words[i] = "w" .. random(4000) end
  for _, word in ipairs(words) do
    local lines = index[word]
    if not lines then lines = {}; index[word] = lines end
    lines[#lines + 1] = line
  end
end
local keys = {}
for word in pairs(index) do keys[#keys + 1] = word end
table.sort(keys)
print("index", #keys, #index[keys[1]], #index[keys[#keys]])

local parts = {}
for i, word in ipairs(keys) do
  parts[#parts + 1] = string.format("%s=%s", word, table.concat(index[word], ",", 1, 10))
  if i % 10 == 0 then parts[#parts] = parts[#parts]:upper():gsub("W", "word-") end
end
local text = table.concat(parts, ";")
local seen = 0
for _ in text:gmatch("%d+") do seen = seen + 1 end
print("text", #text, seen)

local objects = {}
for i = 1, 150000 do
  local value = i
  objects[i] = {id = i, name = "object " .. i, get = function() return value end}
  if i > 20000 then objects[i - 20000] = false end
end
local sum = 0
for i = 130001, 150000 do sum = sum + objects[i].get() + #objects[i].name end
print("objects", sum)
