// Histograms of durations, large and small.

/** Durations that people know, in nanoseconds, for axes. */
const MARKS = [
  [1, "1 ns"], [1e3, "1 µs"], [1e6, "1 ms"], [1e9, "1 s"], [60e9, "1 min"], [3600e9, "1 h"], [86400e9, "1 d"],
];

/** The place of a duration on an axis of buckets. */
const bucketAt = nanoseconds => Math.log2(nanoseconds) + 1;

/** The first and the last bucket that any of the histograms fills, with one more on either side. */
function extent(histograms) {
  let first = BUCKETS, last = -1;
  for (const buckets of histograms) {
    buckets.forEach((blocks, bucket) => {
      if (blocks === 0) return;
      first = Math.min(first, bucket);
      last = Math.max(last, bucket);
    });
  }
  return last < 0 ? null : [Math.max(0, first - 1), Math.min(BUCKETS - 1, last + 1)];
}

/** A chart of one histogram over the buckets of `range`, with its axes. */
function durationChart(buckets, [first, last], className, name) {
  let total = 0, highest = 0;
  for (const blocks of buckets) {
    total += Math.max(0, blocks);
    highest = Math.max(highest, blocks);
  }
  const count = last - first + 1;
  // Lines at round shares: the highest bar reaches at least to half of the chart.
  const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5].find(step => highest / total <= step * 4) ?? 0.25;
  const top = Math.max(step, Math.ceil(highest / total / step - 1e-9) * step);
  const plot = el("div", { class: "plot" });
  for (let share = 0; share <= top + 1e-9; share += step) {
    const line = el("span", { class: "gridline" }, el("span", {}, `${Math.round(share * 100)} %`));
    line.style.bottom = `${share / top * 100}%`;
    plot.append(line);
  }
  for (let bucket = first; bucket <= last; bucket++) {
    const blocks = Math.max(0, buckets[bucket]);
    if (blocks === 0) continue;
    const range = bucket === BUCKETS - 1
      ? `${inDuration(bucketStart(bucket))} and longer`
      : `${inDuration(bucketStart(bucket))} to ${inDuration(bucketStart(bucket + 1))}`;
    const column = el("span", { class: "column", title: `${range}: ${plural(blocks, "block")}, ${share(blocks, total)}` });
    column.style.left = `${(bucket - first) / count * 100}%`;
    column.style.width = `${100 / count}%`;
    column.style.height = `max(2px, ${blocks / total / top * 100}%)`;
    plot.append(column);
  }
  const axis = el("div", { class: "axis" });
  let previous = -Infinity;
  for (const [nanoseconds, words] of MARKS) {
    const at = (bucketAt(nanoseconds) - first) / count * 100;
    if (at < 0 || at > 100 || at - previous < 11) continue;
    previous = at;
    const mark = el("span", {}, words);
    mark.style.left = `${at}%`;
    axis.append(mark);
  }
  const words = `${name}: ${plural(total, "block")}, half of them ${below(medianOf(buckets))}`;
  return el("figure", { class: `chart ${className}`, role: "img", "aria-label": words }, plot, axis);
}

const medianOf = buckets => medianBucket([0, ...buckets]);

/** A histogram as small as a word. */
function sparkline(list, [first, last]) {
  const buckets = histogram(list);
  let highest = 0;
  for (const blocks of buckets) highest = Math.max(highest, blocks);
  if (!(highest > 0)) return null;
  const count = last - first + 1;
  let path = "";
  for (let bucket = first; bucket <= last; bucket++) {
    if (!(buckets[bucket] > 0)) continue;
    const height = Math.max(1, buckets[bucket] / highest * 15);
    path += `M${bucket - first} 16v${-height.toFixed(2)}h.8v${height.toFixed(2)}z`;
  }
  const picture = svg("svg", { class: "spark", viewBox: `0 0 ${count} 16`, preserveAspectRatio: "none", "aria-hidden": "true" });
  picture.append(svg("path", { d: path }));
  return picture;
}

const allLifetimes = addedUp(data.groups.lifetimes);
const allAges = addedUp(data.groups.ages);
const durationRange = extent([allLifetimes, allAges]);

function drawDurations() {
  const section = byId("durations");
  section.append(el("h2", { id: "durations-heading" }, "How long blocks live"));
  if (durationRange === null) {
    section.append(el("p", { class: "empty" }, isChange
      ? "No sampled block was freed within the window, and ages are not of the window."
      : "No sampled block was freed, and none is live: there are no durations yet."));
    return;
  }
  const chart = (buckets, className, title, meaning, none) => {
    let total = 0;
    for (const blocks of buckets) total += blocks;
    const median = medianOf(buckets);
    return el("div", { class: "panel" },
      el("h3", {}, title, el("span", { class: "aside" }, total > 0 ? `${plural(total, "block")}, half of them ${below(median)}` : "")),
      el("p", { class: "note" }, meaning),
      total > 0 ? durationChart(buckets, durationRange, className, title) : el("p", { class: "empty" }, none));
  };
  section.append(el("div", { class: "pair" },
    chart(allLifetimes, "freed", "Freed blocks, by lifetime",
      "Many short lives are churn: time spent in the allocator.", "No sampled block was freed."),
    chart(allAges, "live", "Live blocks, by age",
      "Old blocks are caches, indexes – or leaks.",
      isChange ? "Ages are not of the window: a difference does not have them." : "No sampled block is live.")));
  section.append(el("p", { class: "note" }, "Estimated from samples, in powers of two."));
}
