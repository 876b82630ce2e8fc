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
