"""The style sheet of the pages: one accent, two themes, system fonts; every pair of colours is at least WCAG AA."""

from __future__ import annotations

_LIGHT = """
--page:#f7f8f9;--card:#fff;--text:#1b2026;--soft:#525b66;--line:#d5dade;--accent:#0a5ca8;--on-accent:#fff;
--error:#a61b1b;--warning:#855000;--note:#43566b;--unknown:#6d3ba6;--good:#1c6636;--waived:#525b66;
--error-bg:#fcebea;--warning-bg:#fdf1dc;--note-bg:#eaeff4;--unknown-bg:#f2eafa;--good-bg:#e6f3ea;--waived-bg:#eceef0;
--m0:#0a5ca8;--m1:#6ba4d9;--m2:#23406b;--m3:#a9c6e3;--m4:#7b8794;--gap:#fff;color-scheme:light;
"""
_DARK = """
--page:#12161a;--card:#1a1f25;--text:#e3e7eb;--soft:#a4aeb9;--line:#343c45;--accent:#79b6f2;--on-accent:#0d1b29;
--error:#ff9c93;--warning:#efb662;--note:#a9bfd4;--unknown:#cdb0f5;--good:#85d3a0;--waived:#a4aeb9;
--error-bg:#3d2021;--warning-bg:#382b17;--note-bg:#242e38;--unknown-bg:#302541;--good-bg:#1b3325;--waived-bg:#272d34;
--m0:#79b6f2;--m1:#3f78b0;--m2:#b9d8f5;--m3:#2c5480;--m4:#8b96a1;--gap:#1a1f25;color-scheme:dark;
"""
_REST = """
*{box-sizing:border-box}
html{scroll-padding-top:4.2rem;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--text);
font:0.875rem/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
code,.facts td,.evidence,.id{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;
font-size:0.92em}
code{background:var(--note-bg);border-radius:3px;padding:0 .25em}
a{color:var(--accent);text-underline-offset:.15em;text-decoration-thickness:1px}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:2px}
h1,h2,h3,h4,p,ul,ol,dl,dd{margin:0}
h1{font-size:1.3rem;line-height:1.25;font-weight:650}
h2{font-size:1.05rem;font-weight:650;margin:2rem 0 .6rem}
h3{font-size:.95rem;font-weight:600}
h4{font-size:.8rem;font-weight:600;color:var(--soft);margin:.9rem 0 .3rem}
.wide{max-width:82rem;margin:0 auto;padding:0 1.25rem}
.skip{position:absolute;left:-99rem;background:var(--accent);color:var(--on-accent);padding:.5rem 1rem;z-index:9}
.skip:focus{left:.5rem;top:.5rem}
.vh{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.soft{color:var(--soft)}
header.wide{display:flex;justify-content:space-between;align-items:flex-start;gap:1rem;
padding-top:1.3rem;padding-bottom:.8rem}
#theme{white-space:nowrap}
header p{color:var(--soft);margin-top:.2rem}
.bar{position:sticky;top:0;z-index:5;background:var(--page);border-bottom:1px solid var(--line)}
.bar .wide{display:flex;flex-wrap:wrap;gap:.35rem 1.1rem;align-items:center;padding-top:.5rem;padding-bottom:.5rem}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem .9rem;list-style:none;padding:0}
nav a{text-decoration:none;font-weight:550;padding:.2rem 0;display:inline-block}
nav a:hover{text-decoration:underline}
.filter{display:flex;flex-wrap:wrap;gap:.4rem;align-items:center;margin-left:auto}
input,select,button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--soft);border-radius:5px;
padding:.25rem .5rem;min-height:2rem}
input[type=search]{width:12rem}
select{max-width:9.5rem}
button{cursor:pointer}
button:hover{border-color:var(--accent);color:var(--accent)}
output{color:var(--soft);min-width:8rem}
.card,.rule,.host,.event{background:var(--card);border:1px solid var(--line);border-radius:7px}
.numbers{display:flex;flex-wrap:wrap;gap:.6rem;list-style:none;padding:0}
.numbers li{background:var(--card);border:1px solid var(--line);border-radius:7px;padding:.5rem .9rem .45rem;
min-width:7rem}
.numbers b{display:block;font-size:1.5rem;line-height:1.2;font-weight:620}
.numbers .error b{color:var(--error)}.numbers .warning b{color:var(--warning)}
.numbers .unknown b{color:var(--unknown)}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:7px;background:var(--card)}
table{border-collapse:collapse;width:100%}
caption{text-align:left;color:var(--soft);padding:.5rem .8rem 0}
th,td{text-align:left;vertical-align:top;padding:.38rem .8rem;border-top:1px solid var(--line)}
thead th{font-size:.8rem;font-weight:600;color:var(--soft);border-top:0;white-space:nowrap}
tbody th{font-weight:600}
.n{text-align:right}
.badge{display:inline-block;font-size:.75rem;font-weight:650;line-height:1.45;border-radius:4px;padding:0 .4em;
white-space:nowrap;color:var(--note);background:var(--note-bg)}
.badge.error{color:var(--error);background:var(--error-bg)}
.badge.warning{color:var(--warning);background:var(--warning-bg)}
.badge.unknown{color:var(--unknown);background:var(--unknown-bg)}
.badge.clean,.badge.pass{color:var(--good);background:var(--good-bg)}
.badge.waived,.badge.na{color:var(--waived);background:var(--waived-bg)}
.badge.error::before{content:"\\25A0\\00A0"}.badge.warning::before{content:"\\25B2\\00A0"}
.badge.note::before{content:"\\25CF\\00A0"}.badge.unknown::before{content:"?\\00A0"}
.badge.clean::before,.badge.pass::before{content:"\\2713\\00A0"}.badge.waived::before{content:"\\2013\\00A0"}
.split{font-weight:650;color:var(--warning)}
.mixes{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:.6rem;margin-top:.6rem}
.mixes .card{padding:.6rem .9rem .7rem}
.mixes h3{font-size:.8rem;color:var(--soft);margin-bottom:.25rem}
.mixes dl{display:grid;grid-template-columns:1fr auto;gap:.1rem .8rem}
.mixes dd{text-align:right}
.mixes .share{grid-column:1/-1}
.mixes svg{width:100%;height:4px;display:block;margin-bottom:.25rem}
.rule{padding:.75rem 1rem .85rem;margin-bottom:.6rem;border-left:4px solid var(--note);
content-visibility:auto;contain-intrinsic-size:auto 14rem}
.rule.error{border-left-color:var(--error)}.rule.warning{border-left-color:var(--warning)}
.rule.unknown{border-left-color:var(--unknown)}.rule.waived{border-left-color:var(--line)}
.rule>h3,.rule>p.symptom{display:flow-root}
.rule>h3 .id{font-weight:600;margin:0 .45em}
.symptom{color:var(--soft);margin-top:.15rem;max-width:75rem}
.said{border-top:1px solid var(--line);margin-top:.6rem;padding-top:.55rem}
.said dl{display:grid;grid-template-columns:5.2rem 1fr;gap:.2rem .6rem;margin-top:.3rem}
.said dt{color:var(--soft)}
.said>p{font-weight:550}
.evidence{list-style:none;padding:0}
.evidence .who{font-family:system-ui,sans-serif;color:var(--soft)}
.manual{margin-top:.6rem}
.manual p{margin-top:.3rem;max-width:70rem}
summary{cursor:pointer}
.quiet{list-style:none;padding:0;columns:26rem;column-gap:2rem}
.quiet li{break-inside:avoid;padding:.1rem 0}
.heads,.host summary{display:grid;gap:.2rem .8rem;align-items:baseline;
grid-template-columns:1rem minmax(9rem,1.6fr) minmax(7rem,1.2fr) minmax(4rem,.7fr)
minmax(7rem,1.2fr) minmax(4rem,.7fr) 4rem minmax(8rem,1.6fr)}
.heads{font-size:.8rem;font-weight:600;color:var(--soft);padding:.2rem .8rem}
.host{margin-bottom:2px;border-radius:4px;content-visibility:auto;contain-intrinsic-size:auto 2.2rem}
.host summary{padding:.34rem .8rem;list-style:none}
.host summary::-webkit-details-marker{display:none}
.host summary::before{content:"";border:solid var(--soft);border-width:0 2px 2px 0;width:.45rem;height:.45rem;
transform:rotate(-45deg);align-self:center}
.host[open] summary::before{transform:rotate(45deg)}
.host summary:hover{background:var(--note-bg)}
.host summary h3{font-size:inherit}
.host i{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.body{padding:.2rem .9rem .9rem 2.6rem;border-top:1px solid var(--line);scroll-margin-top:7rem}
.list{list-style:none;padding:0;margin-top:.5rem}
.list li{padding:.12rem 0}
.list .badge{min-width:5.2rem;margin-right:.35rem}
.list .evidence{padding-left:6.1rem;color:var(--soft)}
.facts{columns:24rem;column-gap:1rem}
.facts table{break-inside:avoid;margin-bottom:.6rem;display:table;border:1px solid var(--line);border-radius:5px;
border-collapse:separate;border-spacing:0;table-layout:fixed}
.facts caption{padding:.2rem 0;color:var(--text);font-weight:600}
.facts th,.facts td{padding:.14rem .6rem}
.facts tr:first-child>*{border-top:0}
.facts th{font-weight:400;color:var(--soft);width:42%}
.timeline{list-style:none;padding:0 0 0 1.1rem;border-left:2px solid var(--line);margin-left:.4rem}
.event{padding:.6rem .9rem;margin-bottom:.6rem;position:relative}
.event::before{content:"";position:absolute;left:-1.5rem;top:1rem;width:.6rem;height:.6rem;border-radius:50%;
background:var(--accent);border:2px solid var(--page)}
.event h3{display:inline}
.event ul{padding-left:1.1rem;margin-top:.25rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(30rem,100%),1fr));gap:.8rem}
figure{margin:0;padding:.8rem 1rem}
figure svg.chart{width:100%;height:auto;display:block;margin:.4rem 0}
figure text{fill:var(--soft);font-size:11px}
.grid{stroke:var(--line);stroke-width:1}
.legend{display:flex;flex-wrap:wrap;gap:.15rem 1rem;list-style:none;padding:0}
.legend svg{width:.9rem;height:.9rem;vertical-align:-.1rem;margin-right:.35rem}
figure details{margin-top:.4rem}
figure details .scroll{max-height:20rem;overflow:auto;margin-top:.4rem}
.inks{position:absolute;width:0;height:0}
.bar0{fill:var(--accent)}.track{fill:var(--line)}
footer.wide{color:var(--soft);padding-top:2rem;padding-bottom:2.5rem}
.pools{margin-top:.6rem}
[hidden]{display:none!important}
html:not(.js) .js-only{display:none}
@media (max-width:60rem){.heads{display:none}.host summary{grid-template-columns:1rem 1fr auto}
.host summary>span{grid-column:2/-1}.host summary>.badges{grid-column:3;grid-row:1}.body{padding-left:.9rem}
.host i{position:static;width:auto;height:auto;clip-path:none;font-style:normal;color:var(--soft)}
.filter{margin-left:0}.bar{position:static}html{scroll-padding-top:1rem}.said dl{grid-template-columns:1fr}}
@media (prefers-reduced-motion:no-preference){.host summary::before{transition:transform .12s}}
@media (forced-colors:active){.badge,.rule{border:1px solid}}
@media print{.bar,.skip,.js-only,figure details,.perma{display:none!important}
body{font-size:9pt;background:#fff}.wide{max-width:none;padding:0}
.rule,.host,.body,.said{content-visibility:visible}.rule,.event,figure,.facts table{break-inside:avoid}
h2,h3{break-after:avoid}.scroll{overflow:visible}.badge,.bar0,.track,rect{print-color-adjust:exact}
a{color:inherit;text-decoration:none}}
"""


def style_sheet() -> str:
    """The whole, as it stands in the page: light and dark by the system's wish, or by the switch."""
    light, dark = _LIGHT.strip(), _DARK.strip()
    return (
        f":root{{{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
        f"@media screen{{:root[data-theme=dark]{{{dark}}}}}\n"
    ) + _REST.strip()
