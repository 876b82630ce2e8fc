/* No movement between slides; arrow keys, Esc for the overview, S for the speaker's notes, F for the whole screen. */
Reveal.initialize({
  hash: true, width: 960, height: 700, margin: 0.03, center: false, transition: "none", backgroundTransition: "none",
  slideNumber: "c/t", plugins: [RevealNotes],
});
