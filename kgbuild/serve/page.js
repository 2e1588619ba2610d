"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const kg = JSON.parse($("data").textContent);
  const art = JSON.parse($("pictures").textContent);
  const size = kg.id.length, ROW = 36, CARDS = 48, FOUND = 40;
  const number = new Intl.NumberFormat("en");
  const placeOf = new Map(kg.id.map((id, place) => [id, place]));

  // Concepts come sorted by products, so children and results that keep this order need no sorting of their own.
  const children = Array.from({ length: size }, () => []), roots = [];
  kg.primary.forEach((above, place) => (above < 0 ? roots : children[above]).push(place));
  const broader = Array.from({ length: size }, () => []), narrower = Array.from({ length: size }, () => []);
  for (const edge of kg.edges) { broader[edge[0]].push(edge); narrower[edge[1]].push(edge[0]); }
  for (const list of narrower) list.sort((a, b) => a - b);
  const words = kg.label.map((label) => label.toLowerCase().split(/[\s-]+/));

  /** An element; text goes in as text and never as markup. */
  const el = (tag, attributes = {}, ...content) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "class") made.className = value; else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...content.filter((one) => one !== null && one !== undefined));
    return made;
  };
  const count = (n, one, many = one + "s") => `${number.format(n)} ${n === 1 ? one : many}`;
  const href = (place) => "#" + encodeURIComponent(kg.id[place]);
  const firstPicture = (place) => { const found = kg.pictures[place].find(([sha]) => art.uris[sha]); return found && art.uris[found[0]]; };
  const dot = (place) => {
    const uri = firstPicture(place);
    return uri ? el("img", { class: "dot", src: uri, alt: "" }) : el("span", { class: "dot blank" });
  };
  const title = (product) => (product < 0 ? "" : kg.titles[product][1]);

  // --- the tree: only the rows in sight are in the document ------------------------------------------------------------
  const tree = $("tree"), rows = $("rows"), open = new Set();
  let flat = [], active = 0, shown = -1;
  const flatten = () => {
    flat = [];
    const walk = (list, level) => list.forEach((place, i) => {
      flat.push({ place, level, at: i + 1, of: list.length });
      if (open.has(place)) walk(children[place], level + 1);
    });
    walk(roots, 1);
    rows.style.height = flat.length * ROW + "px";
  };
  const rowId = (place) => "row-" + place;
  const draw = () => {
    const first = Math.max(0, Math.floor(tree.scrollTop / ROW) - 8);
    const last = Math.min(flat.length, Math.ceil((tree.scrollTop + tree.clientHeight) / ROW) + 8);
    rows.replaceChildren(...flat.slice(first, last).map((row, i) => {
      const { place, level, at, of } = row, has = children[place].length > 0;
      const made = el("div", {
        class: "row" + (first + i === active ? " active" : ""), id: rowId(place), role: "treeitem", "aria-level": level, "aria-posinset": at,
        "aria-setsize": of, "aria-selected": String(place === shown), "aria-expanded": has ? String(open.has(place)) : undefined,
        "aria-label": `${kg.label[place]}, ${count(kg.products[place], "product")}`, title: kg.label[place],
      }, el("span", { class: "twist" }), dot(place), el("span", { class: "name" }, kg.label[place]),
      el("span", { class: "count" }, number.format(kg.products[place])));
      made.style.top = (first + i) * ROW + "px";
      made.style.paddingLeft = (level - 1) * 18 + 4 + "px";
      made.dataset.place = place;
      return made;
    }));
    if (flat.length) tree.setAttribute("aria-activedescendant", rowId(flat[active].place));
  };
  const redraw = () => { flatten(); active = Math.min(active, Math.max(0, flat.length - 1)); draw(); };
  const inSight = (index) => {
    const top = index * ROW;
    if (top < tree.scrollTop) tree.scrollTop = top;
    else if (top + ROW > tree.scrollTop + tree.clientHeight) tree.scrollTop = top + ROW - tree.clientHeight;
  };
  const moveTo = (index) => { if (!flat.length) return; active = Math.max(0, Math.min(flat.length - 1, index)); inSight(active); draw(); };
  const toggle = (place, want = !open.has(place)) => {
    if (want) open.add(place); else open.delete(place);
    const held = flat[active] && flat[active].place;
    flatten();
    const again = flat.findIndex((row) => row.place === held);
    active = again >= 0 ? again : flat.findIndex((row) => row.place === place);
    draw();
  };
  tree.addEventListener("scroll", draw, { passive: true });
  addEventListener("resize", draw);
  rows.addEventListener("click", (event) => {
    const row = event.target.closest(".row");
    if (!row) return;
    const place = Number(row.dataset.place);
    active = flat.findIndex((one) => one.place === place);
    if (event.target.closest(".twist") && children[place].length) { toggle(place); return; }
    if (place === shown || !open.has(place)) toggle(place);
    go(place);
  });
  tree.addEventListener("keydown", (event) => {
    const row = flat[active];
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(tree.clientHeight / ROW) - 1), closed = !open.has(row.place);
    const keys = {
      ArrowDown: () => moveTo(active + 1), ArrowUp: () => moveTo(active - 1), Home: () => moveTo(0), End: () => moveTo(flat.length - 1),
      PageDown: () => moveTo(active + page), PageUp: () => moveTo(active - page), Enter: () => go(row.place), " ": () => go(row.place),
      ArrowRight: () => { if (children[row.place].length) { if (closed) toggle(row.place, true); else moveTo(active + 1); } },
      ArrowLeft: () => {
        if (!closed && children[row.place].length) toggle(row.place, false);
        else if (kg.primary[row.place] >= 0) moveTo(flat.findIndex((one) => one.place === kg.primary[row.place]));
      },
    };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  $("collapse").addEventListener("click", () => { open.clear(); active = 0; tree.scrollTop = 0; redraw(); });

  // --- what is shown of a concept ---------------------------------------------------------------------------------------
  const main = $("main");
  const RULES = { drop_modifier: "one modifier less", generalise_modifier: "a more general modifier" };
  const chain = (place) => { const up = []; for (let at = place; at >= 0; at = kg.primary[at]) up.unshift(at); return up; };
  const below = (place) => {
    const seen = new Set(narrower[place]), queue = [...seen];
    while (queue.length) for (const next of narrower[queue.pop()]) if (!seen.has(next)) { seen.add(next); queue.push(next); }
    return seen.size;
  };
  const card = (place) => {
    const uri = firstPicture(place);
    const frame = uri ? el("span", { class: "frame" }, el("img", { src: uri, alt: "" })) : el("span", { class: "frame blank" });
    return el("li", {}, el("a", { class: "card", href: href(place) }, frame,
      el("span", { class: "text" }, el("b", {}, kg.label[place]), el("small", {}, count(kg.products[place], "product")))));
  };
  const cards = (places) => {
    const list = el("ul", { class: "cards" }), button = el("button", { class: "more", type: "button" });
    let upTo = 0;
    const grow = () => {
      list.append(...places.slice(upTo, upTo + CARDS).map(card));
      upTo += CARDS;
      button.hidden = upTo >= places.length;
      button.textContent = `Show more (${number.format(Math.max(0, places.length - upTo))} left)`;
    };
    button.addEventListener("click", grow);
    grow();
    return [list, button];
  };
  const heading = (text, note) => el("h2", {}, text, note ? el("small", {}, note) : null);
  const facts = (pairs) => el("ul", { class: "facts" }, ...pairs.map(([n, one, many]) => {
    const text = count(n, one, many), cut = text.indexOf(" ");
    return el("li", {}, el("b", {}, text.slice(0, cut)), text.slice(cut));
  }));
  const gallery = (place) => {
    const figures = kg.pictures[place].filter(([sha]) => art.uris[sha]).map(([sha, product, relevance]) =>
      el("figure", {}, el("span", { class: "frame" }, el("img", { src: art.uris[sha], alt: `${kg.label[place]}: ${title(product)}`, title: title(product) })),
        el("figcaption", {}, el("span", {}, title(product)), el("span", { class: "rel", title: "similarity to the concept" }, relevance.toFixed(2)))));
    if (figures.length) return el("div", { class: "gallery" }, ...figures);
    const left = kg.pictures[place].length > 0;
    return el("p", { class: "notice" }, left ? "The pictures of this concept were left out to keep this file small." : "This concept has no pictures.");
  };
  const quote = ([product, field, passage, start, end, before, after]) => el("blockquote", {},
    before ? "… " : "", passage.slice(0, start), el("mark", {}, passage.slice(start, end)), passage.slice(end), after ? " …" : "",
    el("footer", {}, [field.replaceAll("_", " "), field === "title" ? "" : title(product), product < 0 ? "" : kg.titles[product][0]].filter(Boolean).join(" · ")));
  const above = ([, place, rule, support, confidence], primary) => el("li", {}, el("a", { href: href(place) }, dot(place),
    el("span", {}, kg.label[place]), el("span", { class: "why" }, RULES[rule] || rule.replaceAll("_", " "), el("br"),
      `${count(support, "product")}, confidence ${confidence}${primary ? " · in the tree" : ""}`)));

  const concept = (place) => {
    const up = chain(place), edges = [...broader[place]].sort((a, b) => a[1] - b[1]), down = narrower[place];
    const all = below(place), forms = kg.forms[place], quotes = kg.examples[place];
    const pairs = [[kg.products[place], "product"], [kg.mentions[place], "mention"]];
    if (down.length) pairs.push([down.length, "narrower concept"]);
    if (all > down.length) pairs.push([all, "concept below it in all", "concepts below it in all"]);
    return [
      el("nav", { "aria-label": "Broader concepts" }, el("ol", { class: "crumbs" }, el("li", {}, el("a", { href: "#" }, "All concepts")),
        ...up.slice(0, -1).map((one) => el("li", {}, el("a", { href: href(one) }, kg.label[one]))))),
      el("h1", {}, kg.label[place]), facts(pairs),
      forms.length ? el("ul", { class: "forms" }, el("li", {}, "written as"),
        ...forms.map(([form, n]) => el("li", { class: "form" }, form, " ", el("small", {}, number.format(n))))) : null,
      gallery(place),
      ...(quotes.length ? [heading("In the texts"), el("div", { class: "quotes" }, ...quotes.map(quote))] : []),
      ...(down.length ? [heading("Narrower", count(down.length, "concept")), ...cards(down)] : []),
      ...(edges.length ? [heading("Broader", edges.length > 1 ? "the tree shows one, the graph has them all" : ""),
        el("ul", { class: "broader" }, ...edges.map((edge) => above(edge, edge[1] === kg.primary[place])))] : []),
    ];
  };
  const overview = () => {
    const having = kg.pictures.filter((own) => own.length).length;
    return [
      el("h1", {}, kg.title), el("p", { class: "lead" }, "Concepts mined from the catalogue’s own texts, ordered by what is a kind of what, ",
        "each with real pictures that stand for it. Open the tree, search, or begin with a broad concept.",
        kg.release ? ` Release ${kg.release}.` : ""),
      facts([[size, "concept"], [kg.edges.length, "is-a edge"], [kg.nProducts, "product"], [kg.nImages, "image"]]),
      art.shown < having ? el("p", { class: "notice" }, `To keep this file small, pictures are embedded for the ${number.format(art.shown)} `,
        `concepts with most products, of ${number.format(having)} that have some.`) : null,
      heading("Broadest concepts", count(roots.length, "concept")), ...cards(roots),
    ];
  };
  const show = () => {
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(1)); } catch { /* no valid link: the overview is shown */ }
    if (id === "main") return;
    const place = placeOf.has(id) ? placeOf.get(id) : -1;
    shown = place;
    main.replaceChildren(...(place < 0 ? overview() : concept(place)).filter(Boolean));
    if (id && place < 0) main.prepend(el("p", { class: "notice", role: "alert" }, `There is no concept ${id} in this release.`));
    main.scrollTop = 0;
    document.title = place < 0 ? kg.title : `${kg.label[place]} · ${kg.title}`;
    if (place >= 0) {
      for (const one of chain(place).slice(0, -1)) open.add(one);
      flatten();
      active = flat.findIndex((row) => row.place === place);
      inSight(active);
    }
    draw();
  };
  const go = (place) => { if (location.hash === href(place)) show(); else location.hash = href(place); };
  addEventListener("hashchange", show);

  // --- search -------------------------------------------------------------------------------------------------------------
  const input = $("search"), results = $("results");
  let hits = [], chosen = -1;
  const find = (text) => {
    const wanted = text.toLowerCase().split(/[\s-]+/).filter(Boolean);
    if (!wanted.length) return [];
    const whole = text.toLowerCase().trim(), grades = [[], [], [], []];
    for (let place = 0; place < size; place++) {
      const label = kg.label[place].toLowerCase();
      if (label === whole) grades[0].push(place);
      else if (wanted.every((part) => words[place].includes(part))) grades[1].push(place);
      else if (wanted.every((part) => words[place].some((word) => word.startsWith(part)))) grades[2].push(place);
      else if (wanted.every((part) => label.includes(part))) grades[3].push(place);
    }
    return grades.flat();
  };
  const marked = (label, wanted) => {
    const parts = wanted.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
    return label.split(new RegExp(`(${parts})`, "i")).map((part, i) => (i % 2 ? el("b", {}, part) : part));
  };
  const choose = (index) => {
    chosen = index;
    [...results.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === chosen)));
    const item = results.children[chosen];
    if (item && hits.length) { input.setAttribute("aria-activedescendant", item.id); item.scrollIntoView({ block: "nearest" }); }
    else input.removeAttribute("aria-activedescendant");
  };
  const close = () => { results.hidden = true; input.setAttribute("aria-expanded", "false"); choose(-1); };
  const take = (place) => { input.value = ""; close(); input.blur(); go(place); main.focus(); };
  const search = () => {
    const all = find(input.value), wanted = input.value.trim().split(/[\s-]+/).filter(Boolean);
    hits = all.slice(0, FOUND);
    results.replaceChildren(...hits.map((place, i) => el("li", {
      id: "hit-" + i, role: "option", "aria-selected": "false", onmousedown: (event) => event.preventDefault(), onclick: () => take(place),
      onmousemove: () => { if (chosen !== i) choose(i); },
    }, dot(place), el("span", { class: "name" }, ...marked(kg.label[place], wanted)), el("span", { class: "count" }, number.format(kg.products[place])))));
    if (wanted.length && !hits.length) results.append(el("li", { class: "none" }, "No concept has these words."));
    results.hidden = !wanted.length;
    input.setAttribute("aria-expanded", String(!results.hidden));
    $("found").textContent = wanted.length ? count(all.length, "concept") + " found" : "";
    choose(hits.length ? 0 : -1);
  };
  input.addEventListener("input", search);
  input.addEventListener("focus", () => { if (input.value) search(); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (hits.length) choose((chosen + (event.key === "ArrowDown" ? 1 : -1) + hits.length) % hits.length);
    } else if (event.key === "Enter" && hits.length && chosen >= 0) take(hits[chosen]);
    else if (event.key === "Escape") { input.value = ""; hits = []; close(); }
  });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== input) { event.preventDefault(); input.focus(); }
  });

  // --- light or dark: the reader's system decides until the button is pressed --------------------------------------------
  const root = document.documentElement, remember = "kgbuild-theme";
  try { const kept = localStorage.getItem(remember); if (kept) root.dataset.theme = kept; } catch { /* storage may be barred for files */ }
  $("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem(remember, root.dataset.theme); } catch { /* kept for this visit only */ }
  });

  $("brand").textContent = kg.title;
  flatten();
  show();
})();
