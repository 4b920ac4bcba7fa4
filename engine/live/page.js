// The live page: sliders and other controls -> the address of where they stand -> what the server shows of it.
//
// The server writes all text and drawings (engine/live/service.py); here they are put in their places, those
// that changed. One question is on its way at a time; when it is answered, the next is of the latest state.
"use strict";

const $ = (id) => document.getElementById(id);
const MOST_SENT = 60e6; // what is larger is not even sent; what a portfolio may have, the server says
const RESTS = 500; // milliseconds after which numbers rest: they are spoken, and the address is written

let source = {}; // of the address: scenario and seed, or a file's digest
let moved = {}; // what was moved, by key: the rest of the address
let accepted = null; // [source, moved] of the last good answer
let shown = {}; // what each place holds
let wanted = null, busy = false; // the next question, and whether one is on its way
let held = "", notes = []; // what is told, and what there is to note of the portfolio
let first = ""; // what was wrong with the address that the page began with
let lost = null; // the sliders of that address, whose file was not here
let resting = 0;

const address = () => new URLSearchParams({ ...source, ...moved }).toString();
const inputs = () => document.querySelectorAll("[data-key]");

async function ask(path, options = {}) {
  const reply = await fetch(path, { ...options, headers: { "X-Engine": "page" } });
  if (reply.ok) return reply;
  const told = await reply.json().catch(() => ({}));
  throw new Error(told.wrong || `the server answered ${reply.status}`);
}

// One line on what is wrong, or what is to be known; text, never HTML.
function say(wrong, ...lines) {
  const line = (text, kind, role) => {
    const one = document.createElement("div");
    one.textContent = text;
    one.className = kind;
    one.setAttribute("role", role);
    return one;
  };
  const all = lines.map((text) => line(text, "note", "status"));
  $("message").replaceChildren(...(wrong ? [line(wrong, "wrong", "alert")] : []), ...all);
  held = [wrong, ...lines].join("\n");
}

function place(parts) {
  for (const [id, html] of Object.entries(parts)) {
    if (shown[id] === html) continue;
    shown[id] = html;
    $(id).innerHTML = html;
  }
}

// Everything of another portfolio: its controls, where they stand, and room for its drawings.
function build(found) {
  shown = {};
  place(found.places);
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  $("origin").textContent = found.origin;
  const choices = found.scenario ? found.scenarios : ["(a file)", ...found.scenarios];
  if (!same(choices, [...$("scenario").options].map((o) => o.value))) {
    $("scenario").replaceChildren(...choices.map((name) => new Option(name, name)));
  }
  $("scenario").value = found.scenario || "(a file)";
  $("seed").value = found.seed;
  const table = found.exports[0];
  $("table-file").dataset.export = table;
  $("table-file").textContent = `${table.split(".")[0]} (CSV)`;
  source = found.address;
  notes = found.notes;
  stand();
}

// Every control where the state has it.
function stand() {
  for (const input of inputs()) put(input, moved[input.dataset.key] ?? Number(input.dataset.start));
  $("most_budget").value = $("most_budget").defaultValue;
}

function put(input, value) {
  const digits = input.id === "budget" ? 6 : 4;
  const text = String(Number(Number(value).toPrecision(digits)));
  if (Number(input.value) !== Number(value)) input.value = value;
  input.setAttribute("aria-valuetext", text);
  if (input.id === "budget") $("budget_number").value = value;
  else input.previousElementSibling.textContent = text;
}

function want(kind) {
  wanted = wanted === "open" ? "open" : kind;
  if (!busy) work();
}

async function work() {
  busy = true;
  while (wanted) {
    const kind = wanted, now = [{ ...source }, { ...moved }];
    wanted = null;
    const slow = kind === "open" && setTimeout(() => say("", "compiling for this portfolio …"), 150);
    try {
      const found = await (await ask(`/${kind}?${address()}`)).json();
      clearTimeout(slow);
      if (kind === "answer" || wanted !== "open") show(kind, found, now); // else another one is wanted by now
    } catch (error) {
      clearTimeout(slow);
      refuse(error.message);
    }
  }
  busy = false;
}

function show(kind, found, now) {
  if (kind === "open") {
    moved = { ...now[1] }; // what was moved meanwhile was of the portfolio before
    build(found);
    now[0] = found.address;
  }
  place(found.parts);
  for (const [id, words] of Object.entries(found.said)) $(id).setAttribute("aria-label", words);
  accepted = now;
  if (held !== [first, ...notes].join("\n")) say(first, ...notes);
  first = "";
  clearTimeout(resting);
  resting = setTimeout(rest, RESTS, found.sentence);
}

// What was refused is told, and the page goes back to what was last answered.
function refuse(wrong) {
  say(wrong);
  if (wanted) return;
  if (accepted) {
    [source, moved] = [{ ...accepted[0] }, { ...accepted[1] }];
    stand_sources();
    stand();
  } else if (first === "") { // an address that cannot be: the start, and the line stays until something moves
    first = wrong;
    lost = { file: source.file, moved };
    [source, moved] = [{}, {}];
    wanted = "open";
  }
}

function stand_sources() {
  $("scenario").value = source.scenario || "(a file)";
  if (source.seed !== undefined) $("seed").value = source.seed;
}

function rest(sentence) {
  $("spoken").textContent = sentence;
  history.replaceState(null, "", `?${address()}`);
}

function change(key, value) {
  moved[key] = value;
  want("answer");
}

// Where a slider stands: at one of its steps, and at its ends.
function stepped(input, value) {
  const [low, high, step] = [input.min, input.max, input.dataset.step].map(Number);
  if (value <= low || value >= high) return Math.min(Math.max(value, low), high);
  const at = Number((low + Math.round((value - low) / step) * step).toFixed(input.dataset.decimals));
  return Math.min(Math.max(at, low), high);
}

document.addEventListener("input", ({ target }) => {
  if (target.dataset.key) {
    const value = stepped(target, Number(target.value));
    put(target, value);
    change(target.dataset.key, value);
  }
});

const KEYS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (!target.dataset?.key || !(key in KEYS)) return;
  event.preventDefault();
  const [low, high, step] = [target.min, target.max, target.dataset.step].map(Number);
  const value = Math.min(Math.max(Number(target.value) + KEYS[key] * step, low), high);
  const at = Number(value.toFixed(target.dataset.decimals));
  put(target, at);
  change(target.dataset.key, at);
});

document.addEventListener("change", ({ target }) => {
  if (target.id === "budget_number") change("budget", target.value);
  else if (target.id === "most_budget") {
    moved.most_budget = target.value;
    if (moved.budget > Number(target.value)) moved.budget = Number(target.value);
    want("open");
  } else if (target.id === "scenario" && target.value !== "(a file)") draw($("seed").value);
  else if (target.id === "seed") draw(target.value);
  else if (target.id === "file" && target.files.length) upload(target.files[0]);
});

function draw(seed) {
  const name = $("scenario").value;
  [source, moved] = [{ seed, ...(name === "(a file)" ? {} : { scenario: name }) }, {}];
  want("open");
}

async function upload(file) {
  say("", `reading ${file.name} …`);
  try {
    if (file.size > MOST_SENT) throw new Error(`${file.name}: has ${file.size} bytes, expected a portfolio`);
    const reply = await ask(`/file?${encodeURIComponent(file.name)}`, { method: "POST", body: file });
    source = await reply.json();
    moved = lost?.file === source.file ? lost.moved : {};
    want("open");
  } catch (error) {
    say(error.message);
  }
  $("file").value = "";
}

async function save(name) {
  say("", `preparing ${name} …`);
  try {
    const reply = await ask(`/${name}?${address()}`);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await reply.blob());
    link.download = name;
    link.click();
    say("", ...notes);
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  } catch (error) {
    say(error.message);
  }
}

document.addEventListener("click", ({ target }) => {
  if (target.id === "another") {
    $("seed").value = (Number($("seed").value) + 1) % 4294967296;
    draw($("seed").value);
  } else if (target.id === "reset") {
    moved = {};
    want("open");
  } else if (target.dataset?.export) save(target.dataset.export);
  else if (target.id === "copy") {
    rest($("spoken").textContent);
    navigator.clipboard.writeText(location.href).then(() => say("", "the link is copied"), (e) => say(e.message));
  }
});

// Begin where the address says.
for (const [key, value] of new URLSearchParams(location.search)) {
  if (["scenario", "seed", "file"].includes(key)) source[key] = value;
  else moved[key] = value;
}
want("open");
