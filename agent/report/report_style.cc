#include "agent/report/report_style.h"

namespace bitpilot {

std::string_view ReportStyle() {
  return R"css(
:root {
  --page: #ffffff; --panel: #f6f7f9; --ink: #1b1f24; --soft: #5b6570; --hair: #e1e5ea; --rule: #9aa4af;
  --front: #0072b2; --uniform8: #3a3f45; --uniform4: #d55e00; --ilp: #00805f; --searched: #6f7a86;
  --bad: #b3261e; --good: #00805f; --faint: 0.42; --model: #8a4b00; --model-back: #fff1d6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --panel: #1d2126; --ink: #e8ebee; --soft: #a3adb8; --hair: #2d333a; --rule: #6d7782;
    --front: #56b4e9; --uniform8: #d5dade; --uniform4: #f0883e; --ilp: #2fc79b; --searched: #98a3ae;
    --bad: #ff8a80; --good: #2fc79b; --faint: 0.62; --model: #ffd28a; --model-back: #3a2c10;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 32px 24px 64px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 44px 0 10px; padding-top: 14px; border-top: 1px solid var(--hair); }
h3 { font-size: 14px; margin: 18px 0 6px; color: var(--soft); font-weight: 600; }
p { margin: 6px 0; max-width: 76ch; }
.sub, .caption, figcaption { color: var(--soft); }
.caption, figcaption { font-size: 13px; max-width: 86ch; }
.banner { border-radius: 6px; padding: 10px 14px; margin: 16px 0; font-weight: 600; }
.banner.model-note { background: var(--model-back); color: var(--model); }
.banner.damaged { background: var(--bad); color: #ffffff; }
@media (prefers-color-scheme: dark) { .banner.damaged { color: #14171b; } }
.model { background: var(--model-back); color: var(--model); font-size: 11px; font-weight: 700; padding: 1px 5px;
  border-radius: 3px; letter-spacing: 0.04em; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(215px, 1fr)); gap: 12px; margin: 22px 0 6px; }
.tile { background: var(--panel); border-radius: 8px; padding: 14px 15px; }
.tile b { display: block; font-size: 26px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.tile .name { display: block; font-weight: 600; font-size: 12.5px; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; margin: 8px 0; }
th, td { padding: 5px 10px; text-align: left; vertical-align: middle; border-bottom: 1px solid var(--hair); }
thead th { color: var(--soft); font-weight: 600; font-size: 12px; vertical-align: bottom; border-bottom: 1px solid var(--rule); }
tbody th { font-weight: 600; white-space: nowrap; }
tbody th svg { vertical-align: -6px; margin-right: 5px; }
.summary { width: 100%; }
.number { white-space: nowrap; }
.facts th { color: var(--soft); font-weight: 500; vertical-align: top; }
.facts td { overflow-wrap: anywhere; }
.interval-text { color: var(--soft); font-size: 12px; }
.line { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 10px 0 0; padding: 0; list-style: none; font-size: 13.5px; }
.line b { color: var(--soft); font-weight: 500; margin-right: 5px; }
.summary .interval-text { display: block; line-height: 1.25; }
.summary div.interval-text { white-space: normal; min-width: 12ch; }
@media (max-width: 900px) { th, td { padding: 5px 6px; } }
.missed { color: var(--bad); font-weight: 700; }
.verified { color: var(--good); font-weight: 600; }
.scroll { overflow-x: auto; }
.panels { display: flex; flex-wrap: wrap; gap: 12px 44px; align-items: flex-start; }
.panels > div { min-width: 0; flex: 1 1 420px; }
figure { margin: 8px 0; }
.panels > figure.panel { flex: 0 1 calc(50% - 22px); min-width: 300px; }
figure.panel h3 { margin-top: 4px; }
svg { max-width: 100%; height: auto; overflow: visible; }
th svg, li svg { max-width: none; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; fill: var(--ink);
  font-variant-numeric: tabular-nums; }
svg .tick { fill: var(--soft); }
svg .axis { fill: var(--ink); font-size: 13px; }
svg .heading { font-weight: 600; font-size: 13px; }
svg .note { fill: var(--soft); font-size: 11px; }
svg .label { font-weight: 650; font-size: 12.5px; }
svg .middle { text-anchor: middle; } svg .end { text-anchor: end; }
svg .turned { transform: rotate(-90deg); }
svg .grid { stroke: var(--hair); stroke-width: 1; }
svg .reference { stroke: var(--rule); stroke-width: 1; stroke-dasharray: 2 4; }
svg .budget { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 7 4; }
svg .median { stroke: var(--ink); stroke-width: 1.5; }
.model-figure { background: var(--model-back); border-radius: 8px; padding: 10px; }
.model-figure svg { --front: var(--model); stroke-dasharray: 3 2; }
svg .frontline { fill: none; stroke: var(--front); stroke-width: 1.75; stroke-linejoin: round; opacity: 0.75; }
svg .interval { stroke-width: 1.5; opacity: 0.55; }
svg .band { opacity: 0.18; }
svg .window { opacity: 0.75; }
svg .beyond { fill: none; stroke-width: 1.5; }
svg .mark { stroke: var(--page); stroke-width: 1.25; }
svg .front { fill: var(--front); } svg line.front, svg .beyond.front { stroke: var(--front); }
svg .uniform8 { fill: var(--uniform8); } svg line.uniform8, svg .beyond.uniform8 { stroke: var(--uniform8); }
svg .uniform4 { fill: var(--uniform4); } svg line.uniform4, svg .beyond.uniform4 { stroke: var(--uniform4); }
svg .ilp { fill: var(--ilp); } svg line.ilp, svg .beyond.ilp { stroke: var(--ilp); }
svg .beyond { fill: none; }
svg polygon.mark.ilp { fill: none; stroke: var(--ilp); stroke-width: 2; }
svg .mark.searched { fill: var(--searched); opacity: var(--faint); stroke: none; }
svg .failed { fill: var(--bad); }
th.label { text-align: left; white-space: nowrap; } th.front { color: var(--front); } th.uniform4 { color: var(--uniform4); } th.ilp { color: var(--ilp); }
svg .cell { font-size: 11.5px; font-weight: 600; }
.bits0 { fill: #f4f4f4; } .bits1 { fill: #eef4fb; } .bits2 { fill: #d6e6f4; } .bits3 { fill: #b3d2ea; }
.bits4 { fill: #85bbdd; } .bits5 { fill: #559dcb; } .bits6 { fill: #2e7db8; } .bits7 { fill: #125c9d; } .bits8 { fill: #08366b; }
svg .onbits0, svg .onbits1, svg .onbits2, svg .onbits3, svg .onbits4 { fill: #10243a; }
svg .onbits5, svg .onbits6, svg .onbits7, svg .onbits8 { fill: #ffffff; }
svg .onbits5 { fill: #081a2c; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 20px; padding: 0; margin: 8px 0; font-size: 13px; }
.legend svg { vertical-align: -6px; margin-right: 4px; }
pre, code, .code { font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { background: var(--panel); padding: 12px 14px; border-radius: 6px; overflow-x: auto; white-space: pre-wrap; }
details { margin: 10px 0; } summary { cursor: pointer; font-weight: 600; }
@media print {
  body { max-width: none; padding: 0; font-size: 11pt; }
  svg, .tile, .banner { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  figure, table, .tile { break-inside: avoid; } h2 { break-after: avoid; }
}
)css";
}

}  // namespace bitpilot
