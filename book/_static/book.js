/* What the pages do where JavaScript runs. Without it every still image is there, and all code
   opens by its own click. Nothing is asked of another host: the two libraries lie beside this file. */
(function () {
  "use strict";
  const here = new URL(".", document.currentScript.src);
  const loaded = {};

  /** A library of this folder, once a page, when it is first needed. */
  function library(name) {
    loaded[name] = loaded[name] || new Promise((done, failed) => {
      const tag = document.createElement("script");
      tag.src = new URL(name, here).href;
      tag.onload = () => done(window.zif4_packed);  // before another script sets it anew
      tag.onerror = () => failed(new Error(name + " is not beside the page"));
      document.head.append(tag);
    }).then(async (packed) => {
      const zipped = new Blob([bytes(packed)]).stream();
      const text = await new Response(zipped.pipeThrough(new DecompressionStream("gzip"))).text();
      const tag = document.createElement("script");
      tag.textContent = text;  // runs at once
      document.head.append(tag);
    });
    return loaded[name];
  }

  const bytes = (base64) => Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));

  const dark = () => document.documentElement.dataset.theme === "dark";
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const make = (tag, attributes, text) => {
    const element = Object.assign(document.createElement(tag), attributes || {});
    if (text) element.textContent = text;
    return element;
  };

  // ---- structures -----------------------------------------------------------------------------

  function hasWebGL() {
    try {
      const canvas = document.createElement("canvas");
      return Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl"));
    } catch (error) {
      return false;
    }
  }

  /** One frame as the text of a PDB file, which NGL reads. */
  function pdb(symbols, frame) {
    const at = new Int16Array(bytes(frame.positions).buffer);
    const lines = symbols.map((symbol, i) => {
      const xyz = [0, 1, 2].map((k) => (at[3 * i + k] / 100).toFixed(3).padStart(8)).join("");
      const value = (frame.values ? 1000 * frame.values[i] : 0).toFixed(2).padStart(6);
      const name = symbol.toUpperCase();
      return "HETATM" + String((i + 1) % 100000).padStart(5) + " " + name.padEnd(4) +
        " MOL A   1    " + xyz + "  1.00" + value + "          " + name.padStart(2);
    });
    return lines.join("\n") + "\n" + bonds(symbols, at) + "END\n";
  }

  /** Bonds of a large cell as CONECT records: NGL looks for none among more than 500 atoms. */
  function bonds(symbols, at) {
    if (symbols.length <= 500) return "";
    const RADII = {H: 31, C: 76, N: 71, Zn: 122}, lines = [];  // 0.01 Å, as the positions are
    for (let i = 0; i < symbols.length; i++) {
      for (let j = i + 1; j < symbols.length; j++) {
        if (symbols[i] === "H" && symbols[j] === "H") continue;
        const far = (RADII[symbols[i]] ?? 80) + (RADII[symbols[j]] ?? 80) + 30;
        const dx = at[3 * i] - at[3 * j], dy = at[3 * i + 1] - at[3 * j + 1], dz = at[3 * i + 2] - at[3 * j + 2];
        if (dx * dx + dy * dy + dz * dz < far * far)
          lines.push("CONECT" + String(i + 1).padStart(5) + String(j + 1).padStart(5));
      }
    }
    return lines.length ? lines.join("\n") + "\n" : "";
  }

  /** How far the camera stands for the cell, turned as above, to fill the frame. */
  function farEnough(stand, cell) {
    const turn = new NGL.Matrix4().makeRotationFromQuaternion(
      new NGL.Quaternion().setFromEuler(new NGL.Euler(-1.31, 0.35, 0, "YXZ")));
    const across = cell.map((v) => new NGL.Vector3(...v).applyMatrix4(turn));
    const [width, height] = ["x", "y"].map((k) => across.reduce((sum, v) => sum + Math.abs(v[k]), 0));
    const aspect = stand.clientWidth / stand.clientHeight;
    return 1.08 * Math.max(height, width / aspect) / (2 * Math.tan(Math.PI / 9));  // 40 degrees
  }

  /** The twelve edges of a cell as lines. */
  function edges(cell, colour, radius) {
    const shape = new NGL.Shape("cell");
    const at = (i, j, k) => [0, 1, 2].map((x) => i * cell[0][x] + j * cell[1][x] + k * cell[2][x]);
    for (const [i, j] of [[0, 0], [0, 1], [1, 0], [1, 1]]) {
      shape.addCylinder(at(0, i, j), at(1, i, j), colour, radius);
      shape.addCylinder(at(i, 0, j), at(i, 1, j), colour, radius);
      shape.addCylinder(at(i, j, 0), at(i, j, 1), colour, radius);
    }
    return shape;
  }

  const CIVIDIS = ["#00204d", "#31446b", "#666970", "#958f78", "#cbba69", "#ffea46"];

  /** What the colours mean. */
  function legend(data) {
    const key = make("span", {className: "zif4-key"});
    if (data.kind === "boxes") {
      const values = data.frames.flatMap((f) => f.values);
      const bar = make("span", {className: "zif4-scale"});
      bar.style.background = `linear-gradient(to right, ${CIVIDIS.join(",")})`;
      key.append(Math.min(...values).toFixed(3), bar, Math.max(...values).toFixed(3), " 1/Å³");
      return key;
    }
    for (const symbol of [...new Set(data.symbols)].sort()) {
      const dot = make("span", {className: "zif4-dot"});
      dot.style.background = data.colours[symbol] || "#cc79a7";
      key.append(dot, symbol + " ");
    }
    return key;
  }

  let colourScheme;
  function elementColours(colours) {
    const numbers = {};
    for (const [symbol, colour] of Object.entries(colours))
      numbers[symbol.toUpperCase()] = parseInt(colour.slice(1), 16);
    colourScheme = colourScheme || NGL.ColormakerRegistry.addScheme(function () {
      this.atomColor = (atom) => numbers[atom.element] ?? 0xcc79a7;
    });
    return colourScheme;
  }

  async function structure(view, data, still) {
    if (!hasWebGL()) return;
    data.symbols = data.symbols.split(" ");
    await library("ngl.js");
    const stand = make("div", {className: "zif4-stage"});
    stand.setAttribute("role", "img");
    stand.setAttribute("aria-label", (still ? still.alt : data.title) + " (can be turned)");
    view.append(stand);
    const stage = new NGL.Stage(stand, {
      backgroundColor: css("--pst-color-background") || "white",
      cameraType: "orthographic", clipNear: 0, clipFar: 100, fogNear: 60, fogFar: 110,
      tooltip: false, mousePreset: "default", quality: "medium",
      sampleLevel: data.symbols.length > 3000 ? -1 : 0,  // else a view at rest is drawn 16 times
    });
    // the wheel belongs to the page; two fingers or shift and the wheel zoom
    stage.mouseControls.remove("scroll");
    stage.mouseControls.add("scroll-shift", NGL.MouseActions.zoomScroll);
    const shown = [];
    const line = () => (dark() ? [0.7, 0.7, 0.7] : [0.15, 0.15, 0.15]);

    async function frame(k) {
      if (!shown[k]) {
        const one = data.frames[k];
        const file = new Blob([pdb(data.symbols, one)], {type: "text/plain"});
        const atoms = await stage.loadFile(file, {ext: "pdb"});
        if (data.kind === "boxes") {
          const values = one.values.map((v) => 1000 * v);
          atoms.addRepresentation("spacefill", {
            colorScheme: "bfactor", colorScale: CIVIDIS, colorMode: "rgb",
            colorDomain: [Math.min(...values), Math.max(...values)],
            radiusType: "size", radiusSize: data.radius,
          });
        } else {
          atoms.addRepresentation("ball+stick", {
            color: elementColours(data.colours), multipleBond: "off",
            radiusScale: data.symbols.length > 1000 ? 1.4 : 1, sphereDetail: data.symbols.length > 1000 ? 0 : 1,
            disableImpostor: data.symbols.length > 3000, radialSegments: 5,  // quick without a card, too
          });
        }
        const parts = [atoms, stage.addComponentFromObject(edges(one.cell, line(), 0.05))];
        const inner = data.unit_cell;
        if (inner && JSON.stringify(inner) !== JSON.stringify(one.cell))
          parts.push(stage.addComponentFromObject(edges(inner, line(), 0.15)));
        parts.slice(1).forEach((part) => part.addRepresentation("buffer"));
        shown[k] = parts;
        if (shown.filter(Boolean).length === 1) {
          stage.autoView();
          // as the still image looks: c upwards, a little from the side (NGL looks along +z)
          stage.viewerControls.rotate(
            new NGL.Quaternion().setFromEuler(new NGL.Euler(-1.31, 0.35 + Math.PI, 0, "YXZ")));
          stage.viewerControls.distance(farEnough(stand, one.cell));
        }
      }
      shown.forEach((parts, i) => parts && parts.forEach((p) => p.setVisibility(i === k)));
    }

    await frame(0);
    const bar = make("div", {className: "zif4-controls"});
    if (data.frames.length > 1) {
      const play = make("button", {type: "button", className: "zif4-play"}, "Play");
      const range = make("input", {type: "range", min: 0, max: data.frames.length - 1, value: 0});
      const label = make("output", {}, data.frames[0].name);
      range.setAttribute("aria-label", "stage of the run");
      let clock = null, busy = Promise.resolve();
      const go = (k) => {
        range.value = k;
        label.textContent = data.frames[k].name;
        busy = busy.then(() => frame(k));
      };
      const stop = () => {
        clearInterval(clock);
        clock = null;
        play.textContent = "Play";
      };
      range.addEventListener("input", () => { stop(); go(Number(range.value)); });
      play.addEventListener("click", () => {
        if (clock) { stop(); return; }
        play.textContent = "Pause";
        clock = setInterval(() => go((Number(range.value) + 1) % data.frames.length), 900);
      });
      bar.append(play, range, label);
    }
    bar.append(legend(data), make("span", {className: "zif4-hint"}, "drag: turn · shift + wheel: zoom"));
    view.append(bar);
    toggle(still, false);
    view.dataset.state = "drawn";
    new ResizeObserver(() => stage.handleResize()).observe(stand);
    onTheme(() => stage.setParameters({backgroundColor: css("--pst-color-background")}));
  }

  // ---- figures --------------------------------------------------------------------------------

  function themed() {
    const text = css("--pst-color-text-base") || "#222", grid = dark() ? "#444" : "#e6e6e6";
    const axis = {gridcolor: grid, zerolinecolor: grid, linecolor: text, automargin: true};
    return {paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: {color: text}, axis};
  }

  function layoutOf(data, width) {
    const theme = themed(), narrow = width < 520;
    const layout = structuredClone(data.layout);
    const lines = data.data.filter((d) => d.visible !== false && d.showlegend !== false);
    const heads = new Set(lines.map((d) => d.legendgrouptitle && d.legendgroup).filter(Boolean));
    Object.assign(layout, {
      autosize: true,
      height: narrow ? 440 : Math.min(700, Math.max(430, 70 + 20 * (lines.length + heads.size))),
      paper_bgcolor: theme.paper_bgcolor, plot_bgcolor: theme.plot_bgcolor,
      font: {...theme.font, size: narrow ? 11 : 13},
    });
    for (const key of ["xaxis", "yaxis"]) layout[key] = {...layout[key], ...theme.axis};
    if (narrow) layout.legend = {...layout.legend, groupclick: "togglegroup"};
    if (narrow || (layout.sliders || []).length)
      layout.legend = {...layout.legend, orientation: "h", y: 1.02, yanchor: "bottom", x: 0};
    if (narrow && (layout.updatemenus || []).length) {  // the buttons stand above
      Object.assign(layout.legend, {y: -0.3, yanchor: "top"});
      layout.height += 70;
    }
    for (const slider of layout.sliders || []) slider.pad = {t: narrow ? 75 : 50};  // below the axis' title
    if (layout.yaxis.scaleanchor) layout.xaxis.constrain = layout.yaxis.constrain = "domain";
    for (const menu of layout.updatemenus || []) {
      menu.bgcolor = css("--pst-color-surface");
      menu.font = {color: theme.font.color};
    }
    return layout;
  }

  /** The colours of the page's theme, as changes of a figure that is drawn. */
  function coloursOf(data) {
    const theme = themed(), changes = {"font.color": theme.font.color};
    for (const axis of ["xaxis", "yaxis"])
      for (const [name, value] of Object.entries(theme.axis)) changes[`${axis}.${name}`] = value;
    (data.layout.updatemenus || []).forEach((_, k) => {
      changes[`updatemenus[${k}].bgcolor`] = css("--pst-color-surface");
      changes[`updatemenus[${k}].font.color`] = theme.font.color;
    });
    return changes;
  }

  /** The series; where there is little room a group of them has one entry in the legend. */
  function linesOf(data, width) {
    if (width >= 520) return data.data;
    const seen = new Set();
    return data.data.map((line) => {
      const {legendgrouptitle, ...one} = line, group = line.legendgroup;
      if (!group) return one;
      const quantity = `${group} ${line.visible !== false}`;  // lines of another one are false
      const first = !seen.has(quantity);
      seen.add(quantity);
      return {...one, name: group, showlegend: first};
    });
  }

  async function plot(view, data, still) {
    await library("plotly.js");
    const stand = make("div", {className: "zif4-plot"});
    view.append(stand);
    const options = {
      responsive: true, displaylogo: false,
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    };
    const width = view.clientWidth, layout = layoutOf(data, width);
    stand.style.height = `${layout.height}px`;  // plotly asks for it anew once the window has changed
    await Plotly.newPlot(stand, linesOf(data, width), layout, options);
    view.append(...boxes(stand, data));
    stand.setAttribute("role", "group");
    stand.setAttribute("aria-label", still ? still.alt : "figure");
    toggle(still, false);
    view.dataset.state = "drawn";
    onTheme(() => Plotly.relayout(stand, coloursOf(data)));
  }

  /** A box for each line, in a fold, where the legend names groups of lines only. */
  function boxes(stand, data) {
    const groups = new Map();  // name of the group -> name of the line -> its numbers
    data.data.forEach((line, k) => {
      if (!line.legendgroup || !line.meta) return;
      const group = groups.get(line.legendgroup) || new Map();
      groups.set(line.legendgroup, group.set(line.meta.line, [...(group.get(line.meta.line) || []), k]));
    });
    const count = [...groups.values()].reduce((sum, group) => sum + group.size, 0);
    if (count <= groups.size) return [];  // each group is one line: the legend switches it
    const fold = make("details", {className: "zif4-lines"});
    fold.append(make("summary", {}, `Switch single lines on and off (${count})`));
    const all = [];
    const show = (numbers, on) => {
      // of several quantities one is in view; the lines of the others stay out
      const mine = numbers.filter((k) => [true, "legendonly", undefined].includes(stand.data[k].visible));
      return Plotly.restyle(stand, {visible: on ? true : "legendonly"}, mine);
    };
    const box = (text, numbers) => {
      const label = make("label"), input = make("input", {type: "checkbox", checked: true});
      label.append(input, text);
      input.addEventListener("change", () => show(numbers, input.checked));
      all.push([input, numbers]);
      return label;
    };
    for (const [head, lines] of groups) {
      const set = make("fieldset"), whole = make("strong");
      set.setAttribute("aria-label", head);
      whole.append(box(head, [...lines.values()].flat()));
      set.append(whole);
      for (const [name, numbers] of lines)
        if (lines.size > 1) set.append(box(name.replace(`${head}, `, ""), numbers));
      fold.append(set);
    }
    const tell = () => all.forEach(([input, numbers]) => {
      const shown = numbers.map((k) => stand.data[k].visible ?? true).filter((v) => v !== false);
      const on = shown.filter((v) => v === true).length;
      Object.assign(input, {checked: on > 0, indeterminate: on > 0 && on < shown.length});
    });
    stand.on("plotly_restyle", tell);  // the legend and these boxes
    stand.on("plotly_update", tell);  // the buttons
    tell();  // some lines are off from the start
    return [fold];
  }

  const themeWatchers = [];
  const onTheme = (call) => themeWatchers.push(call);
  new MutationObserver(() => themeWatchers.forEach((call) => call()))
    .observe(document.documentElement, {attributes: true, attributeFilter: ["data-theme"]});

  // ---- the page -------------------------------------------------------------------------------

  function views() {
    const makers = {structure, plot};
    const watch = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        watch.unobserve(entry.target);
        const view = entry.target;
        const data = JSON.parse(view.querySelector("script[type='application/json']").textContent);
        const still = stillOf(view);
        makers[view.dataset.kind](view, data, still).catch((error) => {
          view.dataset.state = "failed";
          console.warn("shown as a picture:", error);
        });
      }
    }, {rootMargin: "300px"});
    document.querySelectorAll(".zif4-view").forEach((view) => watch.observe(view));
  }

  /** The picture that a view takes the place of; a view beside its figure is put into it first. */
  function stillOf(view) {
    let figure = view.closest("figure");
    if (!figure && view.previousElementSibling && view.previousElementSibling.matches("figure")) {
      figure = view.previousElementSibling;
      figure.insertBefore(view, figure.querySelector("figcaption"));
    }
    return figure && figure.querySelector("img.zif4-still");
  }

  /** Show or hide a picture together with the link around it. */
  function toggle(still, shown) {
    if (still) (still.closest("a.image-reference") || still).hidden = !shown;
  }

  /** One button for all folded code of the page. */
  function showCode() {
    const folds = [...document.querySelectorAll("div.cell details.hide.above-input")];
    const title = document.querySelector("article h1");
    if (!folds.length || !title) return;
    const button = make("button", {type: "button", className: "zif4-show-code"}, "Show all code");
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-pressed") !== "true";
      folds.forEach((fold) => { fold.open = open; });
      button.setAttribute("aria-pressed", String(open));
      button.textContent = open ? "Hide all code" : "Show all code";
    });
    title.insertAdjacentElement("afterend", button);
  }

  /** Long names may break behind a dot or an underscore, before they break anywhere. */
  function breakNames() {
    const places = "article :is(h1, h2, h3), article :is(td, th, dt), .prev-next-title";
    document.querySelectorAll(places).forEach((place) => {
      const texts = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
      const long = [];
      while (texts.nextNode())
        if (/\w[._]\w/.test(texts.currentNode.data) && !texts.currentNode.parentElement.closest(
          "mjx-container, .zif4-view, script")) long.push(texts.currentNode);
      long.forEach((text) => {
        const parts = text.data.split(/(?<=[A-Za-z0-9][._])(?=[A-Za-z])/);
        text.replaceWith(...parts.flatMap((part, k) => k ? [make("wbr", {}), part] : [part]));
      });
    });
  }

  /** Tables, formulas and pictures that go on to the right say so, until scrolled to their end. */
  function goesOn() {
    const tell = (frame) => frame.classList.toggle(
      "goes-on", frame.scrollLeft + frame.clientWidth < frame.scrollWidth - 2);
    const watch = new ResizeObserver((entries) => entries.forEach((entry) => tell(entry.target)));
    const wide = ".table-frame, article .pst-scrollable-table-container, figure.fig:has(> img), " +
      "article div.math";
    const frames = document.querySelectorAll(wide);
    frames.forEach((frame) => {
      watch.observe(frame);  // also when a fold is opened
      frame.addEventListener("scroll", () => tell(frame), {passive: true});
    });
    // a formula has its width when MathJax has set it
    window.MathJax?.startup?.promise?.then(() => frames.forEach(tell));
  }

  /** A page printed shows what is folded in dropdowns of results, and the still images. */
  function printing() {
    addEventListener("beforeprint", () => {
      document.querySelectorAll("details.long-table").forEach((d) => { d.open = true; });
      document.querySelectorAll(".zif4-view").forEach((v) => { v.hidden = true; });
      document.querySelectorAll("img.zif4-still").forEach((i) => toggle(i, true));
    });
    addEventListener("afterprint", () => {
      document.querySelectorAll(".zif4-view").forEach((v) => { v.hidden = false; });
      document.querySelectorAll("[data-state='drawn']").forEach((v) => {
        const still = v.parentElement.querySelector("img.zif4-still");
        toggle(still, false);
      });
    });
  }

  // What the search shows of a page it would have to fetch, which file:// forbids.
  if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined")
    DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

  addEventListener("DOMContentLoaded", () => {
    breakNames(); showCode(); views(); goesOn(); printing();
  });

})();
