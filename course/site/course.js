/* Wide tables and long lines scroll inside a box; the keyboard can reach each box that does. */
function reach() {
  document.querySelectorAll("article .table-wrapper, article pre").forEach(function (box) {
    if (box.scrollWidth <= box.clientWidth || box.tabIndex === 0) return;
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", box.tagName !== "PRE" ? "Table" : box.closest(".cell_output") ? "Printed text" : "Code");
  });
}
addEventListener("load", reach);
addEventListener("resize", reach);
addEventListener("toggle", reach, true);

/* What the theme and the notebooks leave out for a screen reader: levels of headings, names, tables without a head. */
addEventListener("DOMContentLoaded", function () {
  document.querySelectorAll("[role=heading]:not([aria-level])").forEach(function (one) { one.setAttribute("aria-level", "2"); });
  document.querySelectorAll("details.hide > summary").forEach(function (one) { one.removeAttribute("aria-label"); });
  document.querySelectorAll("aside.announcement-content").forEach(function (one) { one.setAttribute("aria-label", "Notice"); });
  document.querySelectorAll("article thead").forEach(function (head) { if (!head.textContent.trim()) head.remove(); });
});

/* The widgets ask for the formulas of an older MathJax; this hands their wish to the one that is here. */
addEventListener("DOMContentLoaded", function () {
  if (window.MathJax && !window.MathJax.Hub) {
    window.MathJax.Hub = {Queue: function (job) { window.MathJax.startup.promise.then(function () { window.MathJax.typesetPromise([job[2]]); }); }};
  }
});
