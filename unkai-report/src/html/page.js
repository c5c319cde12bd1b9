// Draws the page, and what is chosen in it.

const SEARCH_PAUSE = 120;

function drawControls() {
  const choice = (name, key, options) => el("div", { class: "choice", role: "radiogroup", "aria-label": name },
    Object.entries(options).map(([value, words]) => el("label", {},
      el("input", { type: "radio", name: key, value, checked: state[key] === value, onchange: () => choose(key, value) }),
      el("span", {}, words))));
  let pause;
  byId("controls").append(
    choice("Measure", "measure", Object.fromEntries(Object.entries(MEASURES).map(([key, { name }]) => [key, name]))),
    choice("Unit", "unit", { bytes: "Bytes", blocks: "Blocks" }),
    el("label", { class: "check" },
      el("input", { type: "checkbox", id: "hide-library", onchange: event => { state.hidesLibrary = event.target.checked; rebuildFlame(); showMatch(); } }),
      "Hide the standard library"),
    el("div", { class: "search" },
      el("input", {
        type: "search", id: "search", placeholder: "Search functions and files", "aria-label": "Search functions and files",
        autocomplete: "off", spellcheck: "false",
        oninput: event => { clearTimeout(pause); pause = setTimeout(() => search(event.target.value), SEARCH_PAUSE); },
      }),
      el("output", { id: "matched", for: "search" })));
}

function choose(key, value) {
  state[key] = value;
  // The table follows what is chosen until a column is.
  if (key === "measure" || table.sort.column !== "name") table.sort = { column: "value", isDescending: true };
  reweighFlame();
  drawSites();
  showMatch();
}

function search(words) {
  byId("search").value = words;
  const query = words.trim().toLowerCase();
  if (query === state.query) return;
  state.query = query;
  if (query === "") {
    flame.matches = flame.matched = table.matching = null;
  } else {
    flame.matches = matchingFunctions(query);
    flame.matched = matchingSites(flame.matches);
    table.matching = new Uint8Array(groupCount);
    flame.matched.forEach((isMatch, site) => { if (isMatch) table.matching[data.sites.group[site]] = 1; });
  }
  drawFlame();
  drawSites();
  showMatch();
}

/** How much goes through what was searched for. */
function showMatch() {
  const output = byId("matched");
  if (flame.matched === null) {
    output.textContent = "";
    return;
  }
  const values = data.sites[MEASURES[state.measure].key][state.unit];
  let sum = 0;
  flame.matched.forEach((isMatch, site) => { if (isMatch) sum += values[site]; });
  const part = isSigned(state.measure) ? "" : share(sum, whole());
  output.textContent = `matched ${inWords(sum)}${part ? `, ${part}` : ""}`;
}

/** The flame graph's shortcuts: `/` searches from anywhere. */
addEventListener("keydown", event => {
  const isTyping = event.target.matches("input[type=search], textarea");
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    byId("search").focus();
  } else if (event.key === "Escape" && event.target.id === "search") {
    search("");
  }
});

// Folded parts and open rows are for the screen: paper has all of them.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(details => { details.open = true; }));

drawTop();
drawTrust();
drawTotals();
drawControls();
drawFlameSection();
drawSitesSection();
drawDurations();
drawSuspects();
drawDetails();
rebuildFlame();
drawSites();
