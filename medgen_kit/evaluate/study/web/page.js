// What the form can not do from Python: keys, names for screen readers, and a word when the server is gone.
(() => {
  const config = JSON.parse(document.getElementById("jupyter-config-data").textContent);
  const kernel = config.baseUrl + "api/kernels/" + config.kernelId;
  const lost = document.getElementById("kit-lost");
  let pair = "?";

  const watch = async () => {
    try {
      const answer = await fetch(kernel, { cache: "no-store" });
      if (answer.ok) { lost.hidden = true; return; }
      if (answer.status === 404) location.reload();          // the server was restarted: this page's process is gone
    } catch { lost.hidden = false; }
  };
  setInterval(watch, 1500);

  const groups = () => [...document.querySelectorAll(".kit-study .kit-group")];
  const options = (group) => [...group.querySelectorAll("input[type=radio]")];
  const chosen = (group) => options(group).find((option) => option.checked) ?? options(group)[0];

  const tidy = () => {
    for (const video of document.querySelectorAll(".kit-study video")) {
      video.muted = true; video.playsInline = true;
      video.setAttribute("aria-label", video.closest(".kit-clip").querySelector(".kit-side").textContent);
    }
    for (const [number, group] of groups().entries()) {
      for (const option of options(group)) if (!option.name) option.name = "kit-" + number;
      group.setAttribute("role", "radiogroup");
      group.setAttribute("aria-label", [...group.querySelector(".kit-ask").children].map((part) => part.textContent).join(": "));
    }
    document.querySelector(".kit-comment textarea")?.setAttribute("aria-label", "Comment");
    const now = document.querySelector(".kit-progress b")?.textContent ?? "";
    const start = document.querySelector(now ? ".kit-questions .kit-group:last-child input[type=radio]" : ".kit-text ~ * .kit-button");
    if (now === pair || !start) return;                        // the same pair, or one that is still being drawn
    pair = now;
    document.getElementById("rendered_cells")?.scrollTo(0, 0);
    (now ? chosen(groups()[0]) : start).focus({ preventScroll: true });
  };
  new MutationObserver(tidy).observe(document.body, { childList: true, subtree: true, characterData: true });

  document.addEventListener("keydown", (event) => {
    if (event.target.type !== "radio" || event.ctrlKey || event.altKey || event.metaKey) return;
    const all = groups();
    const here = all.indexOf(event.target.closest(".kit-group"));
    const option = here < 0 ? undefined : options(all[here])[Number(event.key) - 1];
    if (option) {
      option.click();
      (here + 1 < all.length ? chosen(all[here + 1]) : document.querySelector(".kit-go")).focus();
      event.preventDefault();
    } else if (event.key === "Enter") {
      document.querySelector(".kit-go")?.focus();
      event.preventDefault();
    }
  });
})();
