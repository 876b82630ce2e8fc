"""The frame of the report's page: its look on paper, on a phone and on a dark screen, and the sorting of one table."""

PAGE = """<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content="width=device-width, initial-scale=1">
<meta http-equiv=Content-Security-Policy content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>@title</title><style>
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59626c; --faint: #d0d7de; --paper: #fff; --blue: #1f6fb8; --orange: #c25100;
  --sees: #dcebf9; --blind: #eceff2; --prefers: #fde3cf; --own: #f3f7fb }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #a4adb7; --faint: #434b54; --paper: #171b20; --blue: #6db1f2;
  --orange: #ff9a52; --sees: #1d3550; --blind: #2b3138; --prefers: #57310f; --own: #1c2530 } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1160px; margin: 24px auto; padding: 0 16px }
body { color: var(--ink); background: var(--paper) } a { color: var(--blue) } h1 { margin: 0 0 8px } h3 { margin: 20px 0 4px }
h2 { margin: 44px 0 8px; border-top: 1px solid var(--faint); padding-top: 20px } .lead { font-size: 18px; margin: 0 0 12px }
.never { border-left: 4px solid var(--orange); padding: 8px 12px; font-weight: 600 } .key { color: var(--soft); font-size: 14px }
.notes, .flags { padding-left: 20px } .flags li { margin: 6px 0 }
.wide { overflow-x: auto; margin: 8px 0 } table { border-collapse: collapse; font-size: 14px }
td, th { padding: 5px 10px; border-bottom: 1px solid var(--faint); text-align: left; vertical-align: top; font-weight: 400 }
thead th { font-weight: 600; vertical-align: bottom } tbody th { font-weight: 600 }
.n { font-variant-numeric: tabular-nums; white-space: nowrap } .about { min-width: 200px; color: var(--soft) }
.ci { color: var(--soft); font-weight: 400; font-size: 13px; white-space: nowrap }
td.sees { background: var(--sees) } td.blind { background: var(--blind) }
td.prefers { background: var(--prefers); font-weight: 600; border-left: 4px solid var(--orange) }
tr.ours { background: var(--own) } tr.ours > * { font-weight: 700; border: solid var(--blue); border-width: 2px 0 }
svg { display: block } .range { stroke: var(--soft); stroke-width: 1.5 } .spread { stroke: var(--blue); stroke-width: 6; opacity: .55 }
.mean { fill: var(--blue); stroke: var(--paper) } .real { fill: none; stroke: var(--orange); stroke-width: 2 }
figure { margin: 10px 0 20px } figure img { display: block; max-width: 100%; height: auto } figcaption { font-size: 14px; max-width: 940px }
details { margin: 8px 0 } summary { cursor: pointer; font-weight: 600; padding: 4px 0 }
.prompt { min-width: 220px; max-width: 340px } .prompt div, #prompts th div { display: -webkit-box; overflow: hidden }
.prompt div, #prompts th div { -webkit-line-clamp: 2; -webkit-box-orient: vertical } #prompts th { font-weight: 400; min-width: 260px }
#clips tbody th { overflow-wrap: anywhere; min-width: 130px } select, input { font: inherit; max-width: 100% }
.tools { display: flex; flex-wrap: wrap; gap: 8px 20px; align-items: center }
th button { font: inherit; font-weight: 600; color: inherit; background: none; border: 0; padding: 0; text-align: left; cursor: pointer }
th button { text-decoration: underline dotted }
th[aria-sort=ascending] button::after { content: " \\25B2" } th[aria-sort=descending] button::after { content: " \\25BC" }
@media print { .tools { display: none } }
</style></head><body><main>@body</main><script>
(function () {
  var table = document.getElementById("clips");
  if (!table) return;
  var body = table.tBodies[0], heads = [].slice.call(table.tHead.rows[0].cells), rows = [].slice.call(body.rows);
  var kind = document.getElementById("kind"), words = document.getElementById("words"), count = document.getElementById("count");
  function value(row, column) {
    var cell = row.cells[column], number = cell.getAttribute("data-v");
    return number === null ? cell.textContent.toLowerCase() : number === "" ? null : parseFloat(number);
  }
  function sort(column) {
    var up = heads[column].getAttribute("aria-sort") !== "ascending";
    heads.forEach(function (head) { head.removeAttribute("aria-sort"); });
    heads[column].setAttribute("aria-sort", up ? "ascending" : "descending");
    rows.sort(function (a, b) {
      a = value(a, column); b = value(b, column);
      if (a === null || b === null) return (a === null) - (b === null);
      return (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1);
    }).forEach(function (row) { body.appendChild(row); });
  }
  function filter() {
    var shown = 0, wanted = words.value.toLowerCase();
    rows.forEach(function (row) {
      row.hidden = Boolean(kind.value && row.dataset.kind !== kind.value || row.textContent.toLowerCase().indexOf(wanted) < 0);
      shown += !row.hidden;
    });
    count.textContent = shown + " of " + rows.length + " clips";
  }
  heads.forEach(function (head, column) { head.querySelector("button").addEventListener("click", function () { sort(column); }); });
  kind.addEventListener("change", filter); words.addEventListener("input", filter); filter();
})();
</script></body></html>"""
