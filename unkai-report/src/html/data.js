// The numbers: sums by site and by node of the flame graph.

const data = JSON.parse(byId("data").textContent);
const isChange = data.window !== null;
const string = number => data.strings[number];

/** What can be chosen. In a difference nothing is known of the peak: it is not of the window. */
const MEASURES = {
  live: { key: "live", name: isChange ? "Growth" : "Live", adjective: isChange ? "growth of live" : "live" },
  peak: { key: "at_peak", name: "At peak", adjective: "at the peak, live" },
  allocated: { key: "allocated", name: "Allocated", adjective: "allocated" },
};
if (isChange) delete MEASURES.peak;

const state = { measure: "live", unit: "bytes", hidesLibrary: false, query: "" };

/** The chosen value, in words: `live bytes`. */
const valueName = () => `${MEASURES[state.measure].adjective} ${state.unit}`;
const isSigned = measure => isChange && measure === "live";

/** A value of a measure, in words. */
function inWords(value, measure = state.measure, unit = state.unit) {
  const words = unit === "bytes" ? inBytes(value) : inCount(value);
  return isSigned(measure) ? signed(words) : words;
}

const plusMinus = (error, unit = state.unit) =>
  error > 0 ? `± ${unit === "bytes" ? inBytes(error) : inCount(error)}` : "exact";

/** Independent estimates, summed for each of `count` targets; errors add up by their squares. */
function summed(count, target, estimates) {
  const sums = { samples: new Float64Array(count), bytes: new Float64Array(count), blocks: new Float64Array(count) };
  for (const field of ["samples", "bytes", "blocks"]) {
    const values = estimates[field];
    for (let site = 0; site < values.length; site++) sums[field][target[site]] += values[site];
  }
  for (const field of ["bytes_error", "blocks_error"]) {
    const values = estimates[field];
    const squares = sums[field] = new Float64Array(count);
    for (let site = 0; site < values.length; site++) squares[target[site]] += values[site] * values[site];
  }
  return sums;
}

const withRoots = sums => {
  for (const field of ["bytes_error", "blocks_error"]) sums[field] = sums[field].map(Math.sqrt);
  return sums;
};

const groupCount = data.groups.name.length;
const siteCount = data.sites.node.length;

/** Sums of each site of the table, by measure. */
const groupSums = {};
/** Sums of everything, by measure. */
const allSums = {};
for (const [measure, { key }] of Object.entries(MEASURES)) {
  groupSums[measure] = withRoots(summed(groupCount, data.sites.group, data.sites[key]));
  const all = withRoots(summed(1, new Uint8Array(siteCount), data.sites[key]));
  allSums[measure] = Object.fromEntries(Object.entries(all).map(([field, sum]) => [field, sum[0]]));
}

/** The sum of all sites that have more of a value than before: what shares of a growth are shares of. */
function whole(measure = state.measure, unit = state.unit) {
  let sum = 0;
  for (const value of groupSums[measure][unit]) if (value > 0) sum += value;
  return isSigned(measure) ? sum : allSums[measure][unit];
}

/** The call stacks of each site of the table. */
const members = Array.from({ length: groupCount }, () => []);
data.sites.group.forEach((group, site) => members[group].push(site));

const { frames, homes } = data.stacks, functions = unpacked(data.stacks.functions);
const nodeParent = Int32Array.from(data.stacks.nodes.up, (up, node) => node - up);
const nodeFrame = framesOfNodes(data.stacks.nodes.back);
const PROGRAM = 0, LIBRARY = 2;

/** The functions with their names: each is written as what differs from the one before. */
function unpacked({ shared, rest, home_step, short, brief }) {
  let before = "", homeBefore = 0;
  const name = rest.map((rest, at) => before = before.slice(0, shared[at]) + rest);
  const home = home_step.map(step => homeBefore += step);
  const given = ({ function: of, string: numbers }) => new Map(of.map((at, index) => [at, string(numbers[index])]));
  const shorts = given(short), briefs = given(brief);
  const shortOf = at => shorts.get(at) ?? withoutGenerics(name[at]);
  const briefOf = at => briefs.get(at) ?? lastTwo(shortOf(at));
  const fileOf = at => string(homes.file[home[at]]);
  return { name, home, fileOf, kindOf: at => homes.kind[home[at]], crateOf: at => string(homes.crate[home[at]]), shortOf, briefOf };
}

function withoutGenerics(name) {
  if (!name.includes("<")) return name;
  let short = "", depth = 0;
  for (const letter of name) {
    if (letter === "<") {
      if (depth === 0 && short.endsWith("::")) short = short.slice(0, -2);
      depth += 1;
    }
    else if (letter === ">") depth = Math.max(0, depth - 1);
    else if (depth === 0) short += letter;
  }
  return short;
}

const lastTwo = short => short.split("::").slice(-2).join("::");

/** A node has the next frame that none had, or one that stands so far before it. */
function framesOfNodes(back) {
  let next = 0;
  return Int32Array.from(back, (back, node) => {
    if (node === 0) return 0;
    const frame = next - back;
    next = Math.max(next, frame + 1);
    return frame;
  });
}

/** The places of a call stack, innermost first. */
function stackOf(site) {
  const stack = [];
  for (let node = data.sites.node[site]; node > 0; node = nodeParent[node]) stack.push(nodeFrame[node]);
  return stack;
}

function placeOf(frame) {
  const file = functions.fileOf(frames.function[frame]);
  return file && frames.line[frame] ? `${file}:${frames.line[frame]}` : file;
}

/** The function of your own nearest to where a stack ends, if it ends in somebody else's. */
const callers = new Map();

function callerOf(group) {
  if (!callers.has(group)) {
    const values = data.sites.live.bytes, all = data.sites.allocated.bytes;
    const [largest] = members[group].slice().sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || all[b] - all[a]);
    const path = stackOf(largest).map(frame => frames.function[frame]).filter(name => functions.kindOf(name) !== LIBRARY);
    const own = path.findIndex(name => functions.kindOf(name) === PROGRAM);
    const caller = own > 0 ? functions.shortOf(path[own]) : "";
    // Where inner frames are missing, the site is named after it.
    callers.set(group, groupName(group).startsWith(caller) ? "" : caller);
  }
  return callers.get(group);
}

let searchable = null;

/** The functions that the query is about: 1 for each that has it in its name or file. */
function matchingFunctions(query) {
  searchable ??= functions.name.map((name, at) => (name.includes("<") ? `${name}\n${functions.shortOf(at)}\n${functions.briefOf(at)}` : name).toLowerCase());
  const inHome = homes.file.map(file => string(file).toLowerCase().includes(query));
  return Uint8Array.from(searchable, (words, at) => inHome[functions.home[at]] || words.includes(query));
}

/** The call stacks that go through a matching function: 1 for each. */
function matchingSites(matches) {
  const through = new Uint8Array(nodeParent.length);
  for (let node = 1; node < through.length; node++) {
    through[node] = through[nodeParent[node]] | matches[frames.function[nodeFrame[node]]];
  }
  return Uint8Array.from(data.sites.node, node => through[node]);
}

// Histograms of durations: 48 buckets, the last one open.

const BUCKETS = 48;

/** The lists have the first bucket that is filled, then the blocks from there on. */
const histogram = list => addedUp([list]);

function addedUp(lists) {
  const buckets = new Float64Array(BUCKETS);
  for (const list of lists) for (let at = 1; at < list.length; at++) buckets[list[0] + at - 1] += list[at];
  return buckets;
}

/** Where a bucket begins, in nanoseconds. */
const bucketStart = bucket => bucket === 0 ? 0 : 2 ** (bucket - 1);

/** The bucket in which the median of a list lies; -1 without a block. */
function medianBucket(list) {
  let total = 0, seen = 0;
  for (let at = 1; at < list.length; at++) total += list[at];
  if (!(total > 0)) return -1;
  for (let at = 1; at < list.length; at++) {
    seen += list[at];
    if (list[at] > 0 && seen >= total / 2) return list[0] + at - 1;
  }
  return -1;
}

function below(bucket) {
  if (bucket < 0) return "–";
  return bucket === BUCKETS - 1 ? `> ${inDuration(bucketStart(bucket))}` : `< ${inDuration(bucketStart(bucket + 1))}`;
}
