/* Wide tables of Markdown scroll inside a box that the keyboard can reach. */
addEventListener("DOMContentLoaded", function () {
  document.querySelectorAll("article .table-wrapper").forEach(function (box) {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", "Table");
    }
  });
});

/* The widgets ask for the formulas of an older MathJax; this hands their wish to the one that is here. */
addEventListener("DOMContentLoaded", function () {
  if (window.MathJax && !window.MathJax.Hub) {
    window.MathJax.Hub = {Queue: function (job) { window.MathJax.startup.promise.then(function () { window.MathJax.typesetPromise([job[2]]); }); }};
  }
});
