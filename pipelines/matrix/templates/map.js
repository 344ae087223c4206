"use strict";
const map = JSON.parse(document.getElementById("data").textContent);
const words = JSON.parse(document.getElementById("words").textContent);
const panel = document.querySelector("aside");
const cells = [...document.querySelectorAll(".cell")];
const rows = [...document.querySelectorAll("tr[data-model]")];
const search = document.querySelector("input[type=search]");
const chips = [...document.querySelectorAll(".chip")];

const three = value => value === null || value === undefined ? "–" : Number(value).toPrecision(3).replace(/\.?0+$/, "");
const megabytes = bytes => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`;
const parity = found => !found ? null : found.max_rel_error === null ? found.reason : `${Number(found.max_rel_error).toExponential(1)} of the largest output${found.passed ? "" : `: ${found.reason}`}`;

function facts(entry) {
  const made = entry.export;
  const twice = made && (made.differing === null ? "not made twice" : made.differing.length ? `no: ${made.differing.join(", ")}` : "yes, same hashes");
  return [
    ["cause", entry.cause], ["detail", entry.detail], ["operator", entry.operator], ["where", entry.where],
    ["runtime", entry.runtime],
    ["parity", parity(entry.artifact)], ["twin's parity", parity(entry.source)],
    ...entry.quality.map(one => [one.metric, `${three(one.value)} (source ${three(one.reference)})`]),
    ["sizes tried", Object.entries(entry.sizes).map(([axis, sizes]) => `${axis} ${sizes.join(", ")}`).join("; ")],
    ["export", made && `${three(made.seconds)} s, peak memory ${megabytes(made.peak_memory_bytes)}`],
    ["artifact", made && `${megabytes(made.bytes)}${made.operators === null ? "" : `, ${made.operators} operators`}`],
    ["load", entry.load_s === null ? null : `${three(entry.load_s)} s`],
    ["deterministic", twice],
    ["deprecated", made && made.deprecations.join("\n")],
    ["observed", entry.observed_at && `${entry.observed_at}, ${three(entry.wall_s)} s in all`],
  ].filter(([, value]) => value);
}

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function show(cell) {
  const entry = map.entries[Number(cell.dataset.index)];
  cells.forEach(other => other.classList.toggle("chosen", other === cell));
  const list = element("dl");
  facts(entry).forEach(([name, value]) => list.append(element("dt", name), element("dd", value)));
  const close = element("button", "×", "close");
  close.setAttribute("aria-label", "close");
  close.onclick = hide;
  panel.replaceChildren(close, element("h3", entry.id), element("span", words[entry.outcome], `tag ${entry.outcome}`), list);
  panel.append(element("div", "Run this cell by itself:", "note"), element("pre", entry.reproduce));
  if (entry.log) panel.append(element("div", "The end of its log:", "note"), element("pre", entry.log));
  panel.hidden = false;
}

function hide() {
  panel.hidden = true;
  cells.forEach(cell => cell.classList.remove("chosen"));
}

function filter() {
  const wanted = new Set(chips.filter(chip => chip.getAttribute("aria-pressed") === "true").map(chip => chip.dataset.outcome));
  const text = search.value.trim().toLowerCase();
  cells.forEach(cell => {
    const entry = map.entries[Number(cell.dataset.index)];
    const said = `${entry.id} ${entry.cause ?? ""} ${entry.operator ?? ""} ${entry.detail ?? ""}`.toLowerCase();
    cell.classList.toggle("dim", !wanted.has(entry.outcome) || !said.includes(text));
  });
  rows.forEach(row => { row.hidden = Boolean(text) && !row.querySelector(".cell:not(.dim)"); });
}

chips.forEach(chip => chip.onclick = () => { chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true")); filter(); });
cells.forEach(cell => cell.onclick = () => show(cell));
search.oninput = filter;
document.onkeydown = event => { if (event.key === "Escape") hide(); };
if (location.hash) {
  const index = map.entries.findIndex(entry => entry.id === decodeURIComponent(location.hash.slice(1)));
  const cell = cells.find(one => one.dataset.index === String(index));
  if (cell) show(cell);
}
