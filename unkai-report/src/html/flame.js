// The flame graph: the outermost functions on top, what they call below, widths by the chosen value.
//
// Call stacks are merged by function. Only rectangles that can be seen are elements; a row of ones too narrow is drawn as
// one shade.

const ROW = 21, NARROWEST = 2.5, DEEPEST = 160, ABOVE = 30;

const flame = { tree: null, sums: null, zoom: 0, focus: 0, matches: null, matched: null };

/** The tree of functions; nodes stand behind their parents. */
function mergedTree() {
  const parent = [-1], of = [-1], line = [-1], depth = [0];
  const children = new Map();
  const places = new Int32Array(nodeParent.length);
  const count = functions.name.length + 1;
  for (let node = 1; node < nodeParent.length; node++) {
    const frame = nodeFrame[node], name = frames.function[frame];
    const above = places[nodeParent[node]];
    if (state.hidesLibrary && functions.kindOf(name) === LIBRARY) {
      places[node] = above;
      continue;
    }
    const key = above * count + name;
    let place = children.get(key);
    if (place === undefined) {
      place = parent.length;
      children.set(key, place);
      parent.push(above);
      of.push(name);
      line.push(frames.line[frame]);
      depth.push(depth[above] + 1);
    } else if (line[place] !== frames.line[frame]) {
      line[place] = -1;
    }
    places[node] = place;
  }
  return { parent: Int32Array.from(parent), of, line, depth, site: Int32Array.from(data.sites.node, node => places[node]) };
}

/** What the tree is worth in the chosen measure: each node with all below it. Widths are sums without signs. */
function treeSums({ parent, site }) {
  const estimates = data.sites[MEASURES[state.measure].key];
  const sums = summed(parent.length, site, estimates);
  const width = sums.width = new Float64Array(parent.length);
  estimates[state.unit].forEach((value, at) => { width[site[at]] += Math.abs(value); });
  for (let node = parent.length - 1; node > 0; node--) {
    for (const field of Object.keys(sums)) sums[field][parent[node]] += sums[field][node];
  }
  return withRoots(sums);
}

/** The children of each node, the widest first, in one list. */
function childrenOf({ parent }, { width }) {
  const start = new Int32Array(parent.length + 1);
  for (let node = 1; node < parent.length; node++) if (width[node] > 0) start[parent[node] + 1]++;
  for (let node = 0; node < parent.length; node++) start[node + 1] += start[node];
  const list = new Int32Array(start[parent.length]), next = start.slice();
  for (let node = 1; node < parent.length; node++) if (width[node] > 0) list[next[parent[node]]++] = node;
  for (let node = 0; node < parent.length; node++) {
    if (start[node + 1] - start[node] > 1) list.subarray(start[node], start[node + 1]).sort((a, b) => width[b] - width[a] || a - b);
  }
  return { start, list };
}

const ancestorsOf = node => {
  const path = [];
  for (let at = node; at >= 0; at = flame.tree.parent[at]) path.unshift(at);
  return path;
};

/** A stable number from 0 up to 1 for a word. */
function hashed(word) {
  let hash = 0x811c9dc5;
  for (let at = 0; at < word.length; at++) hash = Math.imul(hash ^ word.charCodeAt(at), 0x01000193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  hash ^= hash >>> 13;
  return (hash >>> 0) / 2 ** 32;
}

const colours = new Map();

/** Hue, saturation and a shade: warm for the program, green to blue for its dependencies, pale for the library. */
function colourOf(name) {
  if (!colours.has(name)) {
    const krate = hashed(functions.crateOf(name)), shade = hashed(functions.name[name]);
    const [hue, saturation] = [
      [12 + krate * 34, 78], [155 + krate * 62, 36], [215 + krate * 20, 12], [0, 0],
    ][functions.kindOf(name)];
    colours.set(name, [hue, saturation, shade]);
  }
  return colours.get(name);
}

function paint(element, node) {
  if (isSigned(state.measure)) {
    const change = flame.sums[state.unit][node], most = flame.sums.width[0];
    const strength = most > 0 ? Math.sqrt(Math.min(1, Math.abs(change) / most)) : 0;
    element.style.setProperty("--hue", change >= 0 ? 6 : 214);
    element.style.setProperty("--saturation", `${change === 0 ? 0 : 40 + 45 * strength}%`);
    element.style.setProperty("--shade", (1 - strength).toFixed(2));
    return;
  }
  if (node === 0) return;
  const [hue, saturation, shade] = colourOf(flame.tree.of[node]);
  element.style.setProperty("--hue", hue.toFixed(0));
  element.style.setProperty("--saturation", `${saturation}%`);
  element.style.setProperty("--shade", shade.toFixed(2));
}

const nameOf = node => node === 0 ? "all sites" : functions.shortOf(flame.tree.of[node]);

/** As much of the name as fits: the whole path, or the function's own name. */
function labelFor(node, pixels) {
  if (pixels < 26) return "";
  const letters = (pixels - 10) / 6.7;
  if (node === 0) return `all sites: ${inWords(flame.sums[state.unit][0])}`;
  const name = nameOf(node), brief = functions.briefOf(flame.tree.of[node]);
  const words = name.length <= letters ? name : brief.length < name.length ? brief : name;
  const value = inWords(flame.sums[state.unit][node]);
  return words.length + value.length + 3 <= letters ? [words, el("i", {}, value)] : shortened(words, 400);
}

function drawFlame() {
  const { tree, sums, children, zoom, canvas } = flame;
  const full = canvas.clientWidth, whole = sums.width[zoom];
  const fragment = document.createDocumentFragment();
  const add = (node, left, width, row, className) => {
    const element = el("div", {
      class: `cell ${className}`, role: "button", tabindex: node === flame.focus ? 0 : -1, "data-node": node,
      "aria-label": `${shortened(nameOf(node), 200)}, ${inWords(sums[state.unit][node])}, ${share(Math.abs(sums.width[node]), sums.width[0])}`,
    }, labelFor(node, width * full));
    element.style.left = `${left * 100}%`;
    element.style.width = `${width * 100}%`;
    element.style.top = `${row * ROW}px`;
    if (node > 0 && flame.matches && flame.matches[tree.of[node]]) element.classList.add("match");
    paint(element, node);
    fragment.append(element);
  };
  const others = (left, width, row) => {
    if (width * full < 1) return;
    const element = el("div", { class: "cell others", title: "Several, too narrow to show: zoom in" });
    element.style.left = `${left * 100}%`;
    element.style.width = `${width * 100}%`;
    element.style.top = `${row * ROW}px`;
    fragment.append(element);
  };
  const path = ancestorsOf(zoom), above = path.slice(-ABOVE);
  above.forEach((node, row) => add(node, 0, 1, row, node === zoom ? "" : "above"));
  let rows = above.length, isCut = false;
  const open = whole > 0 ? [[zoom, 0, above.length]] : [];
  while (open.length > 0) {
    const [node, left, row] = open.pop();
    if (row - above.length >= DEEPEST) {
      isCut = isCut || children.start[node] < children.start[node + 1];
      continue;
    }
    let at = left;
    for (let child = children.start[node]; child < children.start[node + 1]; child++) {
      const width = sums.width[children.list[child]] / whole;
      if (width * full < NARROWEST) {
        // All that follow are narrower still.
        let rest = 0;
        for (; child < children.start[node + 1]; child++) rest += sums.width[children.list[child]] / whole;
        others(at, rest, row);
        if (rest * full >= 1) rows = Math.max(rows, row + 1);
        break;
      }
      add(children.list[child], at, width, row, "");
      rows = Math.max(rows, row + 1);
      open.push([children.list[child], at, row + 1]);
      at += width;
    }
  }
  canvas.replaceChildren(fragment);
  canvas.style.height = `${rows * ROW}px`;
  canvas.classList.toggle("searching", flame.matches !== null);
  canvas.classList.toggle("signed", isSigned(state.measure));
  flame.note.textContent = sums.width[0] > 0
    ? isCut ? `Only ${DEEPEST} levels are shown: zoom in to see more.` : ""
    : `No ${valueName()} in any site.`;
  drawPath(path);
}

function drawPath(path) {
  const steps = path.length > 7 ? [path[0], -1, ...path.slice(-5)] : path;
  flame.path.replaceChildren(...steps.flatMap((node, at) => {
    const name = node === -1 ? "…" : node === 0 ? "All" : functions.briefOf(flame.tree.of[node]);
    const step = at === steps.length - 1
      ? el("span", { "aria-current": "true" }, shortened(name, 60))
      : node === -1 ? el("span", {}, name) : el("button", { type: "button", onclick: () => zoomTo(node) }, shortened(name, 60));
    return at === 0 ? [step] : [el("span", { class: "separator", "aria-hidden": "true" }, "›"), step];
  }));
  flame.reset.disabled = flame.zoom === 0;
}

function zoomTo(node) {
  hideTip();
  const hadFocus = flame.canvas.contains(document.activeElement);
  flame.zoom = flame.focus = node;
  drawFlame();
  if (hadFocus) focusCell(node);
}

function cellOf(node) {
  return flame.canvas.querySelector(`[data-node="${node}"]`);
}

function focusCell(node) {
  const next = node === undefined ? null : cellOf(node);
  if (next === null) return;
  cellOf(flame.focus)?.setAttribute("tabindex", -1);
  flame.focus = node;
  next.setAttribute("tabindex", 0);
  next.focus({ preventScroll: false });
}

/** Arrows walk through the tree, Enter zooms, Escape goes back. */
function onFlameKey(event) {
  const { tree, children, zoom } = flame;
  const cell = event.target.closest("[data-node]");
  if (cell === null) return;
  const node = Number(cell.dataset.node), parent = tree.parent[node];
  const sibling = step => {
    if (parent < 0) return undefined;
    const family = children.list.subarray(children.start[parent], children.start[parent + 1]);
    return family[family.indexOf(node) + step];
  };
  const actions = {
    ArrowUp: () => parent >= 0 && focusCell(parent),
    ArrowDown: () => focusCell(ancestorsOf(zoom).find(other => tree.parent[other] === node) ?? children.list[children.start[node]]),
    ArrowLeft: () => focusCell(sibling(-1)),
    ArrowRight: () => focusCell(sibling(1)),
    Home: () => focusCell(0),
    Enter: () => zoomTo(node),
    " ": () => zoomTo(node),
    Escape: () => zoom > 0 && zoomTo(tree.parent[zoom]),
    Backspace: () => zoom > 0 && zoomTo(tree.parent[zoom]),
  };
  const action = actions[event.key];
  if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  action();
}

function tipOf(node) {
  const { tree, sums } = flame;
  const name = node === 0 ? "all sites" : functions.name[tree.of[node]];
  const file = node === 0 ? "" : functions.fileOf(tree.of[node]);
  const place = file && tree.line[node] > 0 ? `${file}:${tree.line[node]}` : file;
  const other = state.unit === "bytes" ? "blocks" : "bytes";
  const value = unit => `${inWords(sums[unit][node], state.measure, unit)} ${plusMinus(sums[`${unit}_error`][node], unit)}`;
  const parent = tree.parent[node];
  const ofWhole = share(sums.width[node], sums.width[0]);
  const ofParent = parent >= 0 ? share(sums.width[node], sums.width[parent]) : "";
  const row = (key, words) => words ? [el("dt", {}, key), el("dd", {}, words)] : [];
  return [
    el("strong", {}, shortened(name, 600)),
    place ? el("span", { class: "place" }, shortened(place, 200)) : "",
    el("dl", {},
      row(MEASURES[state.measure].adjective, value(state.unit)),
      row(other, value(other)),
      row("of all", ofWhole),
      row("of caller", parent > 0 ? ofParent : ""),
      row("samples", inCount(sums.samples[node]))),
  ];
}

function showTip(cell, x, y) {
  const tip = byId("tip"), node = Number(cell.dataset.node);
  if (tip.hidden || tip.dataset.node !== cell.dataset.node) {
    tip.replaceChildren(...tipOf(node));
    tip.dataset.node = node;
    tip.hidden = false;
    cell.setAttribute("aria-describedby", "tip");
  }
  const { width, height } = tip.getBoundingClientRect();
  const room = document.documentElement.clientWidth;
  tip.style.left = `${Math.max(4, Math.min(x + 14, room - width - 6))}px`;
  tip.style.top = `${y + 18 + height < innerHeight ? y + 18 : Math.max(4, y - height - 12)}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}

/** Call stacks or their values are chosen anew. */
function rebuildFlame() {
  flame.tree = mergedTree();
  flame.zoom = flame.focus = 0;
  reweighFlame();
}

/** The same call stacks with another value. */
function reweighFlame() {
  flame.sums = treeSums(flame.tree);
  flame.children = childrenOf(flame.tree, flame.sums);
  if (!(flame.sums.width[flame.zoom] > 0)) flame.zoom = flame.focus = 0;
  drawFlame();
}

function drawFlameSection() {
  const section = byId("flame");
  flame.canvas = el("div", {
    id: "canvas", role: "group", "aria-label": "Flame graph: arrow keys walk, Enter zooms in, Escape goes back",
    onclick: event => { const cell = event.target.closest("[data-node]"); if (cell) zoomTo(Number(cell.dataset.node)); },
    onkeydown: onFlameKey,
    onmousemove: event => {
      const cell = event.target.closest("[data-node]");
      if (cell) showTip(cell, event.clientX, event.clientY); else hideTip();
    },
    onmouseleave: hideTip,
    onfocusin: event => {
      const cell = event.target.closest("[data-node]");
      if (cell === null || !cell.matches(":focus-visible")) return;
      const box = cell.getBoundingClientRect();
      showTip(cell, Math.max(box.left, 0), box.bottom - 10);
    },
    onfocusout: hideTip,
  });
  flame.path = el("nav", { class: "path", "aria-label": "Where the flame graph is zoomed to" });
  flame.reset = el("button", { type: "button", class: "plain", id: "reset", onclick: () => zoomTo(0) }, "Reset zoom");
  flame.note = el("p", { class: "note" });
  section.append(
    el("div", { class: "heading" },
      el("h2", { id: "flame-heading" }, isChange ? "Where memory grew" : "Where memory comes from"),
      el("p", { class: "note" }, "Each box is a function, below its caller; the wider, the more it is responsible for. Click to zoom.")),
    el("div", { class: "bar" }, flame.path, flame.reset),
    flame.canvas, flame.note, flameLegend());
  let width = 0;
  new ResizeObserver(() => {
    if (flame.canvas.clientWidth === width) return;
    width = flame.canvas.clientWidth;
    drawFlame();
  }).observe(flame.canvas);
  addEventListener("scroll", hideTip, { passive: true });
}

function flameLegend() {
  const entry = (className, words) => el("li", {}, el("span", { class: `swatch ${className}` }), words);
  return isChange
    ? el("ul", { class: "legend", "aria-label": "Colours" }, entry("grown", "grew"), entry("shrunk", "shrank"),
      el("li", { class: "words" }, "Live bytes: widths are changes without their signs."))
    : el("ul", { class: "legend", "aria-label": "Colours" }, entry("own", "your code"), entry("dependency", "dependencies"),
      entry("library", "standard library"), entry("unknown", "C, or without a name"), entry("others", "many small ones"));
}
