/* The form of parameters: a row for each parameter of the chapter, and the command they make. The
   rules are those of helpers.book.parameters, which checks again when the command is given. */
(function () {
  "use strict";
  const place = document.querySelector(".zif4-form");
  const known = JSON.parse(place.querySelector("script[type='application/json']").textContent);
  const [choice, fields, command, copy] =
    [".chapter", ".fields", ".command", ".copy"].map((name) => place.querySelector(name));

  const python = (value) => (Array.isArray(value) ? `[${value.map(python).join(", ")}]`
    : typeof value === "string" ? value : typeof value === "boolean" ? (value ? "True" : "False")
    : String(value));

  /** Why one value is not allowed, or nothing. */
  function scalarProblem(type, text, p) {
    const value = text.trim();
    if (type === "int" && !/^[+-]?\d+$/.test(value)) return "write a whole number";
    if (type === "float" && (value === "" || !Number.isFinite(Number(value)))) return "write a number";
    if (type === "bool" && !/^(true|false)$/i.test(value)) return "write True or False";
    if (type === "int" || type === "float") {
      const number = Number(value);
      if ((p.low !== null && number < p.low) || (p.high !== null && number > p.high))
        return `outside ${p.allowed} ${p.unit}`;
    }
    if (p.choices && !p.choices.map(python).includes(value)) return `one of ${p.allowed}`;
    if (/["'`$\\]/.test(value)) return "quotes, $ and \\ cannot stand in this command";
    return "";
  }

  function problem(p, text) {
    const list = /^list\[(\w+)\]$/.exec(p.type);
    if (!list) return scalarProblem(p.type, text, p);
    const inside = text.trim().replace(/^\[/, "").replace(/\]$/, "").trim();
    const items = inside ? inside.split(",") : [];
    return items.map((item) => scalarProblem(list[1], item, p)).find(Boolean) || "";
  }

  function write() {
    const chapter = choice.value, parts = [];
    let wrong = 0;
    for (const row of fields.children) {
      const input = row.querySelector("input, select"), p = row.parameter;
      const changed = input.value !== python(p.value);
      const why = changed ? problem(p, input.value) : "";
      input.classList.toggle("wrong", Boolean(why));
      input.setAttribute("aria-invalid", String(Boolean(why)));
      row.querySelector(".why").textContent = why;
      if (why) wrong += 1;
      else if (changed) {
        const value = input.value.trim();
        parts.push(`-p ${p.name} ${/^[\w.+-]+$/.test(value) ? value : `'${value}'`}`);
      }
    }
    command.textContent = wrong ? `${wrong} value${wrong > 1 ? "s are" : " is"} not allowed (see above)`
      : `make chapter CHAPTER=${chapter} PROFILE=${known.profile}` +
        (parts.length ? ` ARGS="${parts.join(" ")}"` : "");
    copy.disabled = wrong > 0;
  }

  const KINDS = {
    int: ["A whole number", "whole numbers"], float: ["A number", "numbers"],
    bool: ["True or False", "True or False"], str: ["Text", "words"],
  };

  /** What a parameter takes, in words. */
  function allowed(p) {
    const list = /^list\[(\w+)\]$/.exec(p.type), range = /^(.*)\.\.(.*)$/.exec(p.allowed);
    let words = KINDS[list ? list[1] : p.type][list ? 1 : 0];
    if (p.choices && p.type !== "bool") words = `${list ? "any" : "One"} of ${p.allowed}`;
    else if (range && range[1] && range[2]) words += ` from ${range[1]} to ${range[2]}`;
    else if (range) words += range[1] ? `, ${range[1]} or more` : `, ${range[2]} or less`;
    return `${list ? "A list in brackets: " : ""}${words}. `;
  }

  function rows() {
    // the profile is named by PROFILE
    const shown = known.chapters[choice.value].filter((p) => p.name !== "profile");
    fields.replaceChildren(...shown.map((p) => {
      const row = document.createElement("div");
      row.className = "parameter";
      row.parameter = p;
      const id = `parameter-${p.name}`;
      const label = Object.assign(document.createElement("label"), {htmlFor: id});
      label.append(Object.assign(document.createElement("code"), {textContent: p.name}));
      if (p.unit) label.append(` (${p.unit})`);
      const few = p.type === "bool" ? ["True", "False"]
        : p.choices && !p.type.startsWith("list") ? p.choices.map(python) : null;
      const input = document.createElement(few ? "select" : "input");
      if (few) input.append(...few.map((c) => new Option(c, c)));
      input.id = id;
      input.value = python(p.value);
      input.addEventListener("input", write);
      const about = Object.assign(document.createElement("div"), {className: "about"});
      const why = Object.assign(document.createElement("strong"), {className: "why"});
      about.append(`${p.description}. ${allowed(p)}`, why);
      row.append(label, input, about);
      return row;
    }));
    write();
  }

  choice.addEventListener("change", rows);
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command.textContent);
    } catch (error) {  // over file:// some browsers keep the clipboard to themselves
      const range = document.createRange();
      range.selectNodeContents(command);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  const wanted = new URLSearchParams(location.search).get("chapter");
  if (wanted in known.chapters) choice.value = wanted;
  rows();
})();
