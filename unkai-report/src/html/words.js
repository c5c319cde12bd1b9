// Numbers in the words of people, as everywhere in unkai, and elements made of them. Text only ever becomes a text node.

function scaled(value, base, units, limit) {
  if (!Number.isFinite(value)) return "?";
  let size = Math.abs(value), unit = 0;
  while (Math.round(size) >= limit && unit + 1 < units.length) {
    size /= base;
    unit += 1;
  }
  const decimals = unit === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  const number = size.toFixed(decimals);
  const sign = value < 0 && Number(number) !== 0 ? "−" : "";
  return `${sign}${number} ${units[unit]}`.trim();
}

const inBytes = value => scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"], 1024);

function inCount(value) {
  if (Math.abs(value) < 9999.5) {
    const number = Math.round(Math.abs(value)).toString().replace(/\B(?=(\d{3})+$)/g, ",");
    return value <= -0.5 ? `−${number}` : number;
  }
  return scaled(value, 1000, ["", "k", "M", "G", "T", "P", "E"], 1000);
}

/** With a plus in front of growth. */
const signed = words => /^[−?]/.test(words) || words === "0" || words === "0 B" ? words : `+${words}`;

function share(part, whole) {
  if (!(whole > 0) || !Number.isFinite(part)) return "";
  const percent = part / whole * 100;
  if (percent > 0 && percent < 0.05) return "< 0.1 %";
  return `${percent.toFixed(1).replace("-", "−")} %`;
}

/** A power of two in nanoseconds, in one unit and few digits. */
function inDuration(nanoseconds) {
  const seconds = nanoseconds / 1e9;
  if (seconds >= 86400) return `${(seconds / 86400).toFixed(1)} d`;
  if (seconds >= 3600) return `${(seconds / 3600).toFixed(1)} h`;
  if (seconds >= 60) return `${(seconds / 60).toFixed(1)} min`;
  return scaled(nanoseconds, 1000, ["ns", "µs", "ms", "s"], 999.5);
}

const plural = (count, noun) => `${inCount(count)} ${noun}${count === 1 ? "" : "s"}`;

/** The part of a path that tells files apart. */
function shortPlace(place) {
  const short = place
    .replace(/^.*[\\/]registry[\\/]src[\\/][^\\/]+[\\/]/, "…/")
    .replace(/^.*[\\/]git[\\/]checkouts[\\/]/, "…/")
    .replace(/^.*[\\/]rustc[\\/][0-9a-f]{8,}[\\/]library[\\/]/, "…/")
    .replace(/^.*[\\/]lib[\\/]rustlib[\\/]src[\\/]rust[\\/]library[\\/]/, "…/");
  return short.length > 60 ? `…${short.slice(-58)}` : short;
}

/** A long name loses its middle. */
const shortened = (name, limit) =>
  name.length > limit ? `${name.slice(0, limit * 0.55)} … ${name.slice(-limit * 0.4)}` : name;

/** A name that is broken between its parts, if it must be. */
const breakable = name => name.split(/(?<=::|[\\/])/).flatMap((part, at) => at === 0 ? [part] : [document.createElement("wbr"), part]);

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter(child => child !== null && child !== undefined && child !== ""));
  return element;
}

const el = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
const byId = id => document.getElementById(id);

/** An element of this part of a whole's width; both may be odd. */
function bar(className, part, whole, name) {
  const percent = whole > 0 && Number.isFinite(part) ? Math.min(100, Math.abs(part) / whole * 100) : 0;
  const element = el("span", { class: className, title: name });
  element.style.width = `${percent}%`;
  return element;
}
