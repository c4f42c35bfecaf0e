"""The style of a session's page: light, dark, and on paper."""

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1a1d21; --soft: #5a6470; --line: #d5dae0; --box: #f4f6f8;
  --air: #17654a; --air-ink: #fff; --offer: #cfdcf2; --offer-ink: #14294d; --scene: #9aa4b0; --like: #a3195b;
  --skip: #9a3412; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --ink: #e8ebef; --soft: #a5afba; --line: #363d46;
  --box: #1d2228; --air: #2f9e74; --air-ink: #06150f; --offer: #2b3d5e; --offer-ink: #dbe7fb; --scene: #66707c;
  --like: #f58ac0; --skip: #f0a070; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0; line-height: 1.2; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; }
.soft { color: var(--soft); }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; padding: 0; list-style: none; }
.facts b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; background: var(--box); }
svg { display: block; width: 100%; min-width: 44rem; height: auto; font: 11px system-ui, sans-serif; }
svg text { fill: var(--soft); }
.grid { stroke: var(--line); }
.air { fill: var(--air); } svg .air-ink { fill: var(--air-ink); font-weight: 600; }
.offer { fill: var(--offer); } svg .offer-ink { fill: var(--offer-ink); }
.went { stroke: var(--air); stroke-width: 2; }
.scene { stroke: var(--scene); }
svg .like { fill: var(--like); } svg .skip { fill: var(--skip); }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .7rem; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
th { font-weight: 600; color: var(--soft); white-space: nowrap; }
td.time { font-variant-numeric: tabular-nums; white-space: nowrap; }
td.text { overflow-wrap: anywhere; min-width: 10rem; }
.mark { border: 1px solid var(--line); border-radius: .3rem; padding: 0 .35rem; font-size: .8rem; white-space: nowrap; }
pre { margin: 0; padding: .8rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; user-select: all;
  font: .9rem/1.5 ui-monospace, monospace; }
summary { cursor: pointer; font-size: 1.1rem; font-weight: 600; margin: 2rem 0 .5rem; }
.files { margin-top: .5rem; display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: .5rem;
  padding: 0; list-style: none; }
.files a { display: block; padding: .5rem .8rem; border: 1px solid var(--line); border-radius: .5rem; color: inherit;
  text-decoration: none; background: var(--box); }
.choice a, .choice b { display: inline-block; padding: .1rem .35rem; color: inherit; }
.choice b { border: 1px solid var(--line); border-radius: .3rem; background: var(--box); }
.files a:hover, .files a:focus-visible { border-color: var(--ink); }
.files b { display: block; }
@media screen and (max-width: 48rem) {
  thead { position: absolute; clip-path: inset(50%); }
  tr { display: grid; grid-template-columns: repeat(3, 1fr); gap: .2rem .8rem; padding: .6rem .8rem;
    border-bottom: 1px solid var(--line); }
  td { border: 0; padding: 0; } td:empty { display: none; }
  td::before { content: attr(data-label) " "; color: var(--soft); font-weight: 400; }
  td.text { grid-column: 1 / -1; order: 1; } td.text::before { content: none; } td.text:nth-child(3) { order: -1; }
  td.licence { grid-column: span 2; } }
@media print { :root { --paper: #fff; --ink: #000; --soft: #444; --box: #fff; --air: #17654a; --air-ink: #fff;
  --offer: #cfdcf2; --offer-ink: #14294d; }
  .screen { display: none; } main { max-width: none; padding: 0; } .wide { overflow: visible; }
  svg { min-width: 0; } tr { break-inside: avoid; } * { print-color-adjust: exact; } }
""".strip()
