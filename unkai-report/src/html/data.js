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

const nodes = data.stacks.nodes, frames = data.stacks.frames, functions = data.stacks.functions;
const nodeParent = Int32Array.from(nodes.up, (up, node) => node - up);
const LIBRARY = 2, UNKNOWN = 3;

/** The places of a call stack, innermost first. */
function stackOf(site) {
  const stack = [];
  for (let node = data.sites.node[site]; node > 0; node = nodeParent[node]) stack.push(nodes.frame[node]);
  return stack;
}

function placeOf(frame) {
  const file = string(functions.file[frames.function[frame]]);
  return file && frames.line[frame] ? `${file}:${frames.line[frame]}` : file;
}

/** The functions that the query is about: 1 for each that has it in its name or file. */
function matchingFunctions(query) {
  const matches = new Uint8Array(functions.name.length);
  if (query === "") return matches;
  const found = new Map();
  const has = number => {
    if (!found.has(number)) found.set(number, string(number).toLowerCase().includes(query));
    return found.get(number);
  };
  for (let at = 0; at < matches.length; at++) {
    matches[at] = has(functions.name[at]) || has(functions.short[at]) || has(functions.brief[at]) || has(functions.file[at]);
  }
  return matches;
}

/** The call stacks that go through a matching function: 1 for each. */
function matchingSites(matches) {
  const through = new Uint8Array(nodeParent.length);
  for (let node = 1; node < through.length; node++) {
    through[node] = through[nodeParent[node]] | matches[frames.function[nodes.frame[node]]];
  }
  return Uint8Array.from(data.sites.node, node => through[node]);
}

// Histograms of durations: 48 buckets, the last one open.

const BUCKETS = 48;

function histogram(pairs) {
  const buckets = new Float64Array(BUCKETS);
  for (let at = 0; at + 1 < pairs.length; at += 2) buckets[pairs[at]] += pairs[at + 1];
  return buckets;
}

function addedUp(lists) {
  const buckets = new Float64Array(BUCKETS);
  for (const pairs of lists) for (let at = 0; at + 1 < pairs.length; at += 2) buckets[pairs[at]] += pairs[at + 1];
  return buckets;
}

/** Where a bucket begins, in nanoseconds. */
const bucketStart = bucket => bucket === 0 ? 0 : 2 ** (bucket - 1);

/** The bucket in which the median lies; -1 without a block. */
function medianBucket(pairs) {
  let total = 0, seen = 0;
  for (let at = 1; at < pairs.length; at += 2) total += pairs[at];
  if (!(total > 0)) return -1;
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    seen += pairs[at + 1];
    if (pairs[at + 1] > 0 && seen >= total / 2) return pairs[at];
  }
  return -1;
}

function below(bucket) {
  if (bucket < 0) return "–";
  return bucket === BUCKETS - 1 ? `> ${inDuration(bucketStart(bucket))}` : `< ${inDuration(bucketStart(bucket + 1))}`;
}
