// Seconds that go by while somebody waits, shown from the second one on; the returned function ends the count.

export function countSeconds(place) {
  const began = Date.now();
  const tick = () => {
    const seconds = Math.floor((Date.now() - began) / 1000);
    place.textContent = seconds >= 2 ? ` \u00b7 ${seconds} s` : "";
  };
  place.textContent = "";
  const timer = setInterval(tick, 500);
  return () => { clearInterval(timer); place.textContent = ""; };
}
