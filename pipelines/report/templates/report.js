// Each plot is drawn when it comes near the screen: a page of fifty opens at once, and those in closed details wait.
const CONFIG = { displaylogo: false, responsive: true, displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false };
const draw = (place) => {
  const figure = JSON.parse(place.querySelector("script").textContent);
  place.replaceChildren();
  Plotly.newPlot(place, figure.data, { ...figure.layout, template: TEMPLATE }, CONFIG);
};
const near = new IntersectionObserver(
  (seen) => seen.filter((one) => one.isIntersecting).forEach((one) => { near.unobserve(one.target); draw(one.target); }),
  { rootMargin: "800px" },
);
const places = [...document.querySelectorAll(".plot")];
places.forEach((place) => near.observe(place));
addEventListener("beforeprint", () => places.filter((place) => place.querySelector("script")).forEach((place) => {
  near.unobserve(place);
  draw(place);
}));
