"""The scripts of the pages. They write texts as texts only; without them a page lacks its filter and the facts."""

from __future__ import annotations

THEME = """
(function () {
  var root = document.documentElement, wish = null;
  root.classList.add("js");
  try { wish = localStorage.getItem("fleet-audit-theme"); } catch (error) { /* a page from a disk may have no store */ }
  if (wish === "light" || wish === "dark") { root.dataset.theme = wish; }
})();
"""
"""Runs before anything is drawn, so that no page flashes in the other theme."""

SWITCH = """
(function () {
  "use strict";
  var root = document.documentElement, button = document.getElementById("theme");
  function say() { button.textContent = "Theme: " + (root.dataset.theme || "system"); }
  button.addEventListener("click", function () {
    var next = { system: "light", light: "dark", dark: "system" }[root.dataset.theme || "system"];
    if (next === "system") { delete root.dataset.theme; } else { root.dataset.theme = next; }
    try {
      if (next === "system") { localStorage.removeItem("fleet-audit-theme"); }
      else { localStorage.setItem("fleet-audit-theme", next); }
    } catch (error) { /* then it is not remembered */ }
    say();
  });
  say();
})();
"""

REPORT = """
(function () {
  "use strict";
  var byId = function (id) { return document.getElementById(id); };
  var hosts = Array.from(document.querySelectorAll("details.host"));
  var rules = Array.from(document.querySelectorAll("article.rule"));
  var find = byId("find"), state = byId("state"), pool = byId("pool"), count = byId("count"), none = byId("none");
  var words = new Map(), data = null, printing = false;

  function text(element) {
    var found = words.get(element);
    if (found === undefined) { found = element.textContent.toLowerCase(); words.set(element, found); }
    return found;
  }
  function matches(element, wanted) { return wanted.every(function (word) { return text(element).includes(word); }); }
  function filter() {
    var wanted = find.value.toLowerCase().split(/\\s+/).filter(Boolean), shownHosts = 0, shownRules = 0;
    hosts.forEach(function (host) {
      var says = host.dataset.state;
      var ok = (!pool.value || host.dataset.pool === pool.value)
        && (!state.value || says === state.value || (state.value === "any" && says !== "clean"))
        && matches(host, wanted);
      if (host.hidden === ok) { host.hidden = !ok; }
      if (ok) { shownHosts += 1; }
    });
    rules.forEach(function (rule) {
      var ok = (!state.value || state.value === "any" || rule.dataset.state.split(" ").includes(state.value))
        && state.value !== "clean" && matches(rule, wanted);
      if (rule.hidden === ok) { rule.hidden = !ok; }
      if (ok) { shownRules += 1; }
    });
    none.hidden = shownHosts > 0 || hosts.length === 0;
    count.textContent = shownHosts.toLocaleString("en") + " of " + hosts.length.toLocaleString("en") + " hosts, "
      + shownRules + " of " + rules.length + " rules";
  }

  function clear() { find.value = state.value = pool.value = ""; filter(); }

  function make(tag, name, content) {
    var element = document.createElement(tag);
    if (name) { element.className = name; }
    if (content !== undefined) { element.textContent = content; }
    return element;
  }
  function prose(element, said) {
    said.split(/(`[^`]+`)/).forEach(function (part, place) {
      element.append(place % 2 ? make("code", "", part.slice(1, -1)) : part);
    });
    return element;
  }
  function verdictItem(verdict, own) {
    var item = make("li"), status = own(verdict[1]), label = status === "fail" ? own(verdict[2]) : status;
    var link = make("a", "id", own(verdict[0]));
    link.href = "#rule-" + own(verdict[0]);
    item.append(make("span", "badge " + (label === "n/a" ? "na" : label), label), link, " ");
    prose(item, own(verdict[3]));
    var lines = verdict.slice(6).map(own);
    if (own(verdict[4])) { lines.push("fix: " + own(verdict[4])); }
    if (own(verdict[5])) { lines.push("follows from " + own(verdict[5])); }
    if (lines.length) {
      var list = make("ul", "evidence");
      lines.forEach(function (line) { list.append(prose(make("li"), line)); });
      item.append(list);
    }
    return item;
  }
  function unpack(host) {
    var place = host.querySelector(".more");
    if (!place || place.firstChild) { return; }
    text(host);  // what is searched is what every host shows, opened or not
    if (data === null) { data = JSON.parse(byId("data").textContent); }
    var name = host.querySelector("h3").textContent, mine = data.h[Number(host.dataset.n)];
    var own = function (index) { return data.t[index].split("\\0").join(name); };
    var lists = [["Findings with evidence", make("ul", "list")], ["Rules that hold", make("ul", "list")]];
    mine[1].forEach(function (index) {
      var verdict = data.v[index], quiet = ["pass", "n/a"].includes(own(verdict[1]));
      lists[quiet ? 1 : 0][1].append(verdictItem(verdict, own));
    });
    if (lists[0][1].firstChild) {
      var short = host.querySelector(".list");
      if (short) { short.remove(); }
      place.append(make("h4", "", lists[0][0]), lists[0][1]);
    }
    place.append(make("h4", "", "Facts"));
    var facts = make("div", "facts");
    mine[0].forEach(function (index) {
      var fact = data.f[index], table = make("table"), body = make("tbody");
      table.append(make("caption", "", own(fact[0])));
      fact.slice(1).forEach(function (row) {
        var line = make("tr"), head = make("th", "", own(data.r[row][0]));
        head.scope = "row";
        line.append(head, make("td", "", own(data.r[row][1])));
        body.append(line);
      });
      if (body.firstChild) { table.append(body); facts.append(table); }
    });
    place.append(facts);
    if (lists[1][1].firstChild) {
      var quiet = make("details");
      var many = lists[1][1].children.length;
      quiet.append(make("summary", "", lists[1][0] + " or do not arise (" + many + ")"), lists[1][1]);
      place.append(quiet);
    }
  }
  document.addEventListener("toggle", function (event) {
    if (event.target.classList.contains("host") && event.target.open && !printing) { unpack(event.target); }
  }, true);

  function follow() {
    var wanted = "";
    try { wanted = decodeURIComponent(location.hash.slice(1)); } catch (error) { return; }
    var target = wanted && byId(wanted);
    if (!target) { return; }
    var inside = target.closest("details, article.rule");
    if (inside && inside.hidden) { clear(); }
    for (var one = target.closest("details"); one; one = one.parentElement.closest("details")) { one.open = true; }
    var host = target.closest("details.host");
    if (host) { unpack(host); host.scrollIntoView(); host.querySelector("summary").focus({ preventScroll: true }); }
    else { target.scrollIntoView(); }
  }
  window.addEventListener("hashchange", follow);

  var opened = [];
  window.addEventListener("beforeprint", function () {
    printing = true;  // on paper a host tells its findings, and its facts only where somebody opened it
    opened = hosts.filter(function (host) { return !host.open && !host.hidden && host.dataset.state !== "clean"; });
    document.querySelectorAll("article.rule details").forEach(function (more) { if (!more.open) opened.push(more); });
    opened.forEach(function (host) { host.open = true; });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (host) { host.open = false; });
    printing = false;
  });

  [find, state, pool].forEach(function (control) { control.addEventListener("input", filter); });
  byId("clear").addEventListener("click", function () { clear(); find.focus(); });
  filter();
  follow();
  // once more when the browser has gone to the place by itself, which takes the focus away
  window.addEventListener("load", function () { setTimeout(follow, 0); });
})();
"""
