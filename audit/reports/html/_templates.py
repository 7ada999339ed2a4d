"""The templates, as Jinja reads them: every text that they print is made inert and escaped on its way.

Only three things are printed as they stand (`|safe`): our own style sheet, our own scripts, and the packed facts.
"""

from __future__ import annotations

_FRAME = """
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="{{ generator }}">
{% if mark %}<meta name="fleet-audit-page" content="{{ mark }}">
{% endif %}<title>{% block title %}{% endblock %}</title>
<style>{{ css|safe }}</style>
<script>{{ theme_js|safe }}</script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="wide"><div>{% block header %}{% endblock %}</div>
<button id="theme" class="js-only" type="button">Theme: system</button></header>
<div class="bar"><div class="wide">{% block bar %}{% endblock %}</div></div>
<main id="main" class="wide" tabindex="-1">
{% block main %}{% endblock %}
</main>
<footer class="wide"><p>{% block footer %}{% endblock %}</p></footer>
<script>{{ js|safe }}</script>
</body>
</html>
"""

_MACROS = """
{% macro badge(label) %}<span class="badge {{ label }}">{{ label }}</span>{% endmacro %}
{% macro time(at) %}<time datetime="{{ at|iso }}">{{ at|moment }}</time>{% endmacro %}
{% macro links(some) -%}
{% for one in some %}{% if one.anchor %}<a href="#{{ one.anchor }}">{{ one.name }}</a>
{%- else %}{{ one.name }}{% endif %}{{ ", " if not loop.last }}{% endfor %}
{%- endmacro %}
{% macro inks() %}
<svg class="inks" aria-hidden="true" focusable="false"><defs>
{% for name, color, shape, ink in textures %}
<pattern id="ink-{{ name }}" width="6" height="6" patternUnits="userSpaceOnUse">
<rect width="6" height="6" fill="var(--{{ color }})"/>
{% if shape %}<path d="{{ shape }}" stroke="var(--{{ ink }})" fill="none"/>{% endif %}
</pattern>
{% endfor %}
</defs></svg>
{% endmacro %}
{% macro chart(one) %}
<figure class="card" aria-labelledby="{{ one.id }}-name">
<figcaption><h3 id="{{ one.id }}-name">{{ one.title }}</h3></figcaption>
<svg class="chart" viewBox="0 0 640 180" role="img" aria-label="{{ one.title }}: {{ one.summary }}">
{% for tick in one.rows %}<line class="grid" x1="44" x2="632" y1="{{ tick.at }}" y2="{{ tick.at }}"/>
<text x="38" y="{{ tick.at + 4 }}" text-anchor="end">{{ tick.text }}</text>{% endfor %}
{% for tick in one.columns %}<text x="{{ tick.at }}" y="172">{{ tick.text }}</text>{% endfor %}
{% for bar in one.bars %}<rect x="{{ bar.x }}" y="{{ bar.y }}" width="{{ bar.width }}" height="{{ bar.height }}"
 fill="url(#ink-{{ one.style }}{{ bar.layer }})"/>{% endfor %}
</svg>
<ul class="legend">
{% for layer in one.layers %}
<li><svg viewBox="0 0 14 14" aria-hidden="true" focusable="false">
<rect width="14" height="14" fill="url(#ink-{{ one.style }}{{ loop.index0 }})"/></svg>{{ layer }}
 <span class="soft">{{ "{:,}".format(one.table[-1][1][loop.index0]) }}</span></li>
{% endfor %}
</ul>
<details><summary>{{ one.title }} as a table</summary>
<div class="scroll" tabindex="0" role="region" aria-label="{{ one.title }} as a table"><table>
<caption>{{ one.title }}, a row a check (UTC)</caption>
<thead><tr><th scope="col">check</th>
{% for layer in one.layers %}<th scope="col" class="n">{{ layer }}</th>{% endfor %}</tr></thead>
<tbody>
{% for when, numbers in one.table|reverse %}<tr><th scope="row">{{ when }}</th>
{% for number in numbers %}<td class="n">{{ "{:,}".format(number) }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div></details>
</figure>
{% endmacro %}
"""

_FINDING = """
{% from "macros" import badge, links %}
{% macro said(one, labels) %}
<div class="said">
<p>{% if labels %}{{ badge(one.label) }} {% endif %}{{ one.message|prose }}</p>
<dl>
<dt>on</dt><dd>{{ links(one.subjects) }}{% if one.rest %}, and {{ one.rest }}{% endif %}
{% if one.count > 3 %} <span class="soft">({{ "{:,}".format(one.count) }})</span>{% endif %}
{% if one.on %}: {{ links(one.on) }}{% endif %}</dd>
{% if one.waiver %}<dt>waived by</dt><dd>{{ one.waiver|prose }}</dd>{% endif %}
{% if one.evidence and one.evidence[0][0] %}
<dt>why</dt><dd>
{% if one.evidence|length > 3 %}<details><summary>{{ one.evidence|length + one.more_evidence }} different answers
</summary>{% endif %}
<ul class="evidence">
{% for lines, who in one.evidence %}{% if who %}<li class="who">{{ who }}</li>{% endif %}
{% for line in lines %}<li>{{ line|prose }}</li>{% endfor %}{% endfor %}
{% if one.more_evidence %}<li class="who">and {{ one.more_evidence }} more: each host has its own below</li>{% endif %}
</ul>
{% if one.evidence|length > 3 %}</details>{% endif %}
</dd>
{% endif %}
{% if one.remedy %}<dt>fix</dt><dd>{{ one.remedy|prose }}</dd>{% endif %}
{% if one.folded %}<dt>hides</dt><dd>{{ one.folded }} unknown
 {{ "verdict" if one.folded == 1 else "verdicts" }} of other rules that follow from it</dd>{% endif %}
</dl>
</div>
{% endmacro %}
{% macro article(part, anchor) %}
<article class="rule {{ part.label }}"{% if anchor %} id="{{ anchor }}"{% endif %} data-state="
{%- for one in part.said %}{{ one.label }} {% endfor %}">
<h3>{{ badge(part.label) }}{% if anchor %}<a class="id" href="#{{ anchor }}">{{ part.id }}</a>{% else %}
<span class="id">{{ part.id }}</span>{% endif %}{{ part.rule.title if part.rule else "" }}</h3>
{% if part.rule and part.rule.symptom %}
<p class="symptom">What a user sees: {{ part.rule.symptom|prose }}</p>
{% endif %}
{% set labels = part.said|map(attribute="label")|unique|list|length > 1 %}
{% for one in part.said %}{{ said(one, labels) }}{% endfor %}
{% if part.rule %}
<details class="manual"><summary>Why {{ part.id }} matters</summary>
<p>{{ part.rule.why|prose }}</p>
{% if part.rule.remedy %}<p>What to do: {{ part.rule.remedy|prose }}</p>{% endif %}
{% if part.rule.refs %}<ul>{% for ref in part.rule.refs %}<li>{% if ref is plain_link %}
<a rel="noreferrer noopener" href="{{ ref }}">{{ ref }}</a>{% else %}{{ ref }}{% endif %}</li>
{% endfor %}</ul>{% endif %}
</details>
{% endif %}
</article>
{% endmacro %}
"""

_REPORT = """
{% extends "frame" %}
{% from "macros" import badge, chart, inks, links, time %}
{% from "finding" import article %}
{% block title %}Fleet audit, {{ at|moment }} UTC{% endblock %}
{% block header %}
<h1>Fleet audit, {{ time(at) }} UTC</h1>
<p>{{ headline|join(" · ") }}</p>
{% endblock %}
{% block bar %}
<nav aria-label="Sections"><ul>
<li><a href="#overview">Overview</a></li>
{% if timeline is not none %}<li><a href="#drift">Drift</a></li>{% endif %}
<li><a href="#findings">Findings</a></li>
{% if charts %}<li><a href="#history">History</a></li>{% endif %}
<li><a href="#hosts">Hosts</a></li>
</ul></nav>
<div class="filter js-only" role="search" aria-label="Filter hosts and findings">
<label class="vh" for="find">Search hosts and findings</label>
<input id="find" type="search" placeholder="Host, rule, version…" autocomplete="off" spellcheck="false">
<label class="vh" for="state">Worst finding</label>
<select id="state"><option value="">all states</option><option value="any">anything to read</option>
{% for one in ("error", "warning", "note", "unknown", "clean") %}<option>{{ one }}</option>{% endfor %}</select>
<label class="vh" for="pool">Pool of the host</label>
<select id="pool"><option value="">all pools</option>
{% for row in view.pools %}<option value="{{ loop.index }}">{{ row.pool|brief }}</option>{% endfor %}</select>
<button id="clear" type="button">Clear</button>
<output id="count" for="find state pool"></output>
</div>
{% endblock %}
{% block main %}
<section aria-labelledby="overview">
<h2 id="overview">Overview</h2>
<ul class="numbers">
{% set total = view.totals %}
<li{% if total.reached < total.hosts %} class="unknown"{% endif %}><b>{{ "{:,}".format(total.reached) }}</b>
of {{ "{:,}".format(total.hosts) }} hosts reached</li>
{% for severity, count in failed %}<li class="{{ severity if count }}"><b>{{ "{:,}".format(count) }}</b>
{{ severity }}{{ "" if count == 1 else "s" }}</li>{% endfor %}
<li{% if total.unknown_hosts %} class="unknown"{% endif %}><b>{{ "{:,}".format(total.unknown_hosts) }}</b>
hosts not fully known</li>
{% if waived %}<li><b>{{ "{:,}".format(waived) }}</b> waived</li>{% endif %}
<li><b>{{ total.rules }}</b> rules judged</li>
</ul>
<div class="mixes">
{% for title, counts in view.mixes %}
<div class="card"><h3>{{ title }}</h3><dl>
{% for value, count in counts.items() %}<dt>{{ value|brief }}</dt><dd>{{ "{:,}".format(count) }}</dd>
<dd class="share"><svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" focusable="false">
<rect class="track" width="100" height="4"/>
<rect class="bar0" width="{{ (100 * count / total.hosts)|round(2) }}" height="4"/></svg></dd>{% endfor %}
</dl></div>
{% endfor %}
</div>
<div class="scroll pools" tabindex="0" role="region" aria-label="Pools">
<table>
<caption>Pools: what their hosts are, and what a plain build and push there leaves</caption>
<thead><tr><th scope="col">pool</th><th scope="col" class="n">reached</th><th scope="col">engine</th>
<th scope="col">image store</th><th scope="col">buildx</th><th scope="col">pushes</th>
<th scope="col">findings</th></tr></thead>
<tbody>
{% for row in view.pools %}
<tr><th scope="row">{{ row.pool }}</th><td class="n">{{ row.reached }}/{{ row.total }}</td>
<td>{{ row.engine }}</td><td>{{ row.store|split_said }}</td><td>{{ row.buildx }}</td>
<td>{{ row.pushes|split_said }}</td><td>{{ row.issues }}</td></tr>
{% endfor %}
</tbody></table></div>
</section>
{% if timeline is not none %}
<section aria-labelledby="drift">
<h2 id="drift">Drift since {{ since }}</h2>
{% if not timeline %}<p>Nothing that matters changed.</p>{% else %}
<ol class="timeline">
{% for entry in timeline %}
<li class="event"><h3>{{ entry.title|prose }}</h3>
<p class="soft">{{ time(entry.at) }} · {{ entry.kind }}
{%- if entry.host %} · {{ links([entry.host|host_link(view)]) }}{% endif %}</p>
{% if entry.detail %}<p>{{ entry.detail|prose }}</p>{% endif %}
{% if entry.consequences %}<p class="soft">so that</p>
<ul>{% for one in entry.consequences %}<li>{{ one|prose }}</li>{% endfor %}</ul>{% endif %}
</li>
{% endfor %}
</ol>
{% if older %}<p class="soft">{{ "{:,}".format(older) }} older changes are not shown here.</p>{% endif %}
{% endif %}
</section>
{% endif %}
<section aria-labelledby="findings">
<h2 id="findings">Findings</h2>
{% for part in view.findings %}{{ article(part, rules[part.id]) }}
{% else %}<p>Nothing failed, and nothing is unknown.</p>{% endfor %}
{% if view.waived %}
<h2 id="waived">Waived</h2>
{% set shown = view.findings|map(attribute="id")|list %}
{% for part in view.waived %}{{ article(part, "" if part.id in shown else rules[part.id]) }}{% endfor %}
{% endif %}
{% if view.quiet %}
<details><summary>{{ view.quiet|length }} rules found nothing</summary>
<ul class="quiet">
{% for id, title, numbers in view.quiet %}
<li id="{{ rules[id] }}"><span class="id">{{ id }}</span> {{ title }} <span class="soft">({{ numbers }})</span></li>
{% endfor %}
</ul></details>
{% endif %}
</section>
{% if charts %}
<section aria-labelledby="history">
<h2 id="history">History</h2>
{{ inks() }}
<div class="charts">{% for one in charts %}{{ chart(one) }}{% endfor %}</div>
</section>
{% endif %}
<section aria-labelledby="hosts">
<h2 id="hosts">Hosts</h2>
<noscript><p class="soft">Facts, and the rules that hold, need JavaScript; every finding is told without it.</p>
</noscript>
<p id="none" hidden>No host matches: clear the filter.</p>
<div class="heads" aria-hidden="true"><span></span><span>host</span><span>pool</span><span>engine</span>
<span>image store</span><span>buildx</span><span>pushes</span><span>findings</span></div>
{% for host in view.members() %}
<details class="host" data-n="{{ loop.index0 }}" data-state="{{ host.state }}" data-pool="{{ pool_places[host.pool] }}">
<summary><h3>{{ host.name }}</h3><span>{{ host.pool }}</span><span><i>engine </i>{{ host.engine }}</span>
<span><i>store </i>{{ host.store }}</span><span><i>buildx </i>{{ host.buildx }}</span>
<span><i>pushes </i>{{ host.pushes }}</span><span class="badges">
<span class="badge {{ host.state }}">{{ host.issues }}</span></span></summary>
<div class="body" id="{{ host.anchor }}">
<p class="soft"><a class="perma" href="#{{ host.anchor }}">#{{ host.anchor }}</a>
 · {{ host.address }}{% if host.platform %} · {{ host.platform }}{% endif %} · {{ host.declared }}
 · {{ host.outcome }}{% if host.detail %}: {{ host.detail }}{% endif %}
 · {{ host.passed }} rules hold, {{ host.silent }} do not arise
{%- if host.folded %}, {{ host.folded }} unknown that follow from another{% endif %}</p>
{% if host.findings %}
<ul class="list">
{% for label, rule, message in host.findings %}
<li>{{ badge(label) }}<a class="id" href="#{{ rules[rule] }}">{{ rule }}</a> {{ message|prose }}</li>
{% endfor %}
</ul>
{% endif %}
<div class="more"></div></div></details>
{% endfor %}
</section>
<script type="application/json" id="data">{{ data|safe }}</script>
{% endblock %}
{% block footer %}fleet-audit {{ tool_version }}, {{ "%.1f"|format(total_seconds) }} s of collecting.
This page loads nothing and sends nothing.{% if home %} <a href="{{ home }}">All runs</a>{% endif %}{% endblock %}
"""

_INDEX = """
{% extends "frame" %}
{% from "macros" import chart, inks, time %}
{% block title %}Fleet audit{% endblock %}
{% block header %}<h1>Fleet audit</h1>
<p>{{ pages|length }} {{ "run" if pages|length == 1 else "runs" }}, the newest first</p>{% endblock %}
{% block bar %}<nav aria-label="Sections"><ul><li><a href="#runs">Runs</a></li>
{% if charts %}<li><a href="#history">History</a></li>{% endif %}</ul></nav>{% endblock %}
{% block main %}
<section aria-labelledby="runs"><h2 id="runs">Runs</h2>
<div class="scroll" tabindex="0" role="region" aria-label="The runs as a table"><table>
<caption>A row a check; times are UTC</caption>
<thead><tr><th scope="col">check</th><th scope="col" class="n">reached</th><th scope="col" class="n">errors</th>
<th scope="col" class="n">warnings</th><th scope="col" class="n">notes</th>
<th scope="col" class="n">hosts not fully known</th></tr></thead>
<tbody>
{% for page in pages %}
<tr><th scope="row"><a href="{{ page.file }}">{{ time(page.at) }}</a></th>
<td class="n">{{ page.reached }}/{{ page.hosts }}</td>
{% for severity in ("error", "warning", "note") %}
<td class="n">{{ page.findings.get(severity, 0) }}</td>{% endfor %}
<td class="n">{{ page.unknown }}</td></tr>
{% endfor %}
</tbody></table></div></section>
{% if charts %}
<section aria-labelledby="history"><h2 id="history">History</h2>
{{ inks() }}
<div class="charts">{% for one in charts %}{{ chart(one) }}{% endfor %}</div></section>
{% endif %}
{% endblock %}
{% block footer %}fleet-audit {{ tool_version }}. This page loads nothing and sends nothing.{% endblock %}
"""

TEMPLATES = {
    "frame": _FRAME.lstrip(),
    "macros": _MACROS,
    "finding": _FINDING,
    "report": _REPORT,
    "index": _INDEX,
}

TEXTURES = (
    ("severity0", "note", "M0 3h6", "gap"),
    ("severity1", "warning", "M-1 1l2-2M0 6l6-6M5 7l2-2", "gap"),
    ("severity2", "error", "", "gap"),
    ("mix0", "m0", "", "gap"),
    ("mix1", "m1", "M-1 1l2-2M0 6l6-6M5 7l2-2", "gap"),
    ("mix2", "m2", "M3 0v6", "gap"),
    ("mix3", "m3", "M0 3h6", "m0"),
    ("mix4", "m4", "M0 0l6 6M0 6l6-6", "gap"),
    ("reach0", "m0", "", "gap"),
    ("reach1", "unknown", "M-1 1l2-2M0 6l6-6M5 7l2-2", "gap"),
)
"""A layer's pattern: its name, its colour, the lines over it, and their colour."""
