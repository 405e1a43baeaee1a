// The look of a report: two schemes, one scale of grays, eight colours that differ for everybody's eyes.

const LIGHT =
  "--ground:#fff;--panel:#f6f7f9;--text:#16191d;--soft:#5b6470;--line:#dfe3e8;--good:#0f7b45;--warn:#a15c00;--bad:#c2262d;--c0:#2463c9;--c1:#d0720b;--c2:#178a5b;--c3:#8a4fc7;--c4:#c43d6b;--c5:#0c8ea6;--c6:#7d6a1f;--c7:#5f6b7a";
const DARK =
  "--ground:#14171b;--panel:#1c2025;--text:#e6e9ed;--soft:#98a2ae;--line:#30363d;--good:#4cc38a;--warn:#e5a54b;--bad:#f2777a;--c0:#6ea3f5;--c1:#f0a04b;--c2:#55c99a;--c3:#bb92ee;--c4:#ee82a5;--c5:#4fc4d9;--c6:#cdb75f;--c7:#98a2ae";

export const STYLE = `
:root{${LIGHT}}
@media (prefers-color-scheme:dark){:root{${DARK}}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:28px 24px 64px;background:var(--ground);color:var(--text);font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:22px;line-height:1.25;margin:0;overflow-wrap:anywhere}
h3{font-size:13px;margin:18px 0 4px}
h2{font-size:15px;margin:30px 0 10px;padding-bottom:6px;border-bottom:1px solid var(--line)}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 14px}
header p{margin:0;color:var(--soft);flex-basis:100%;overflow-wrap:anywhere}
.badge{font-size:12px;font-weight:600;padding:1px 9px;border-radius:10px;border:1px solid currentColor}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}
.faults{margin:14px 0 0;padding:8px 12px 8px 30px;background:var(--panel);border-left:3px solid var(--warn)}
.facts{display:grid;grid-template-columns:repeat(6,1fr);gap:1px;margin:18px 0 0;background:var(--line);border:1px solid var(--line)}
.facts div{background:var(--ground);padding:8px 12px;min-width:0}
.facts dt{color:var(--soft);font-size:12px}
.facts dd{margin:0;font-size:16px;overflow-wrap:anywhere}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:0 24px}
figure{margin:0 0 14px;min-width:0;position:relative}
figcaption{font-weight:600;font-size:13px;margin:2px 0 2px}
.legend{display:flex;flex-wrap:wrap;gap:0 16px;font-size:12px;color:var(--soft);margin:0 0 2px}
.legend i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px;vertical-align:-1px}
svg.chart{display:block;width:100%;height:auto;touch-action:pan-y}
svg text{font:11px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--soft);font-variant-numeric:tabular-nums}
svg .grid{stroke:var(--line);stroke-width:1}
svg .cursor{stroke:var(--soft);stroke-width:1;visibility:hidden}
svg .mark{stroke-width:1.2;stroke-dasharray:3 2}
.tip{position:absolute;pointer-events:none;background:var(--panel);border:1px solid var(--line);border-radius:4px;padding:4px 8px;font-size:12px;white-space:nowrap;display:none;z-index:2}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13px}
th{text-align:left;color:var(--soft);font-weight:600;font-size:12px}
th,td{padding:4px 14px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}
td{overflow-wrap:anywhere;min-width:60px}
.n{text-align:right;white-space:nowrap}
tr.marked td{color:var(--warn)}
.bar{display:flex;height:18px;border-radius:3px;overflow:hidden;margin:4px 0 8px}
.bar span{min-width:1px}
.note{color:var(--soft);margin:6px 0}
pre{margin:8px 0;padding:12px;background:var(--panel);overflow:auto;font:12px/1.45 ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace}
details{margin:8px 0}summary{cursor:pointer;color:var(--soft)}
.hash{font:12px ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.samples img{display:block;max-width:100%;height:auto;image-rendering:pixelated;border:1px solid var(--line)}
.samples label{display:flex;gap:12px;align-items:center;margin:0 0 8px}
.samples input{flex:1;max-width:520px}
.samples[data-ready] figure{display:none}.samples[data-ready] figure.on{display:block}
.samples:not([data-ready]) label{display:none}
@media (max-width:860px){.facts{grid-template-columns:repeat(3,1fr)}.pair{grid-template-columns:1fr}body{padding:18px 14px 40px}}
@media print{.samples[data-ready] figure{display:block}.samples label{display:none}}
`.trim();
