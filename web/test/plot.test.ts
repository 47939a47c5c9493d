import { expect, test } from "vitest";

import type { Area } from "../src/search/areas.ts";
import { distanceKm } from "../src/search/near.ts";
import { byKey, extentOf, panned, widthOf } from "../src/search/plot-keys.ts";
import { drawn, linesOf, outline, pointAt, spotOf, viewOf, zoomed } from "../src/search/plot-view.ts";

const SIZE = { width: 800, height: 256 };
const BERN = { lat: 46.95, lon: 7.45 };
const ZURICH = { lat: 47.37, lon: 8.54 };
const swiss = viewOf([BERN, ZURICH], SIZE);

test("all points are in sight, and what is read at one is that one", () => {
  for (const point of [BERN, ZURICH]) {
    const { x, y } = spotOf(swiss, point);
    expect(x).toBeGreaterThanOrEqual(24);
    expect(x).toBeLessThanOrEqual(776);
    expect(y).toBeGreaterThanOrEqual(23.9);
    expect(y).toBeLessThanOrEqual(232.1);
    expect(distanceKm(pointAt(swiss, { x, y }), point)).toBeLessThan(0.5);
  }
});

test("a kilometre is as long to the east as to the north", () => {
  const [one, east, south] = [pointAt(swiss, { x: 400, y: 128 }), pointAt(swiss, { x: 500, y: 128 }), pointAt(swiss, { x: 400, y: 228 })];
  expect(distanceKm(one, east) / distanceKm(one, south)).toBeCloseTo(1, 1);
});

test("points on both sides of the date line stand beside one another", () => {
  const view = viewOf([{ lat: -17, lon: 178 }, { lat: -18, lon: -179 }], SIZE);
  expect(view.middle.lon).toBeCloseTo(179.5);
  expect(spotOf(view, { lat: -17, lon: 178 }).x).toBeLessThan(spotOf(view, { lat: -18, lon: -179 }).x);
  const box = drawn(view, "box", spotOf(view, { lat: -17, lon: 178 }), spotOf(view, { lat: -18, lon: -179 }));
  expect(box).toMatchObject({ from: { lat: -18, lon: 178 }, to: { lat: -17, lon: -179 } });
});

test("no points, and one, have a view as well; there is no more than the earth, and no less than a street", () => {
  const earth = viewOf([], SIZE);
  expect(spotOf(earth, { lat: 90, lon: 0 }).y).toBeCloseTo(0);
  expect(zoomed(earth, 2)).toEqual(earth);
  expect(spotOf(viewOf([ZURICH], SIZE), ZURICH)).toEqual({ x: 400, y: 128 });
  const street = zoomed(viewOf([ZURICH], SIZE), 1e-9);
  expect(zoomed(street, 0.5)).toEqual(street);
});

test("a drag is a circle from its middle, or a box from corner to corner; without a size it is nothing", () => {
  const [from, to] = [spotOf(swiss, BERN), spotOf(swiss, ZURICH)];
  expect(drawn(swiss, "circle", from, to)).toMatchObject({ point: { lat: 46.95, lon: 7.45 } });
  expect((drawn(swiss, "circle", from, to) as { km: number }).km).toBeCloseTo(94.6, 0);
  const box = { from: { lat: 46.95, lon: 7.45 }, to: { lat: 47.37, lon: 8.54 } };
  expect(drawn(swiss, "box", from, to)).toEqual(box);
  expect(drawn(swiss, "box", to, from)).toEqual(box);
  expect(drawn(swiss, "box", from, from)).toBeNull();
  expect(drawn(swiss, "circle", from, from)).toBeNull();
});

const reach = (path: string): [number, number, number, number] => {
  const spots = path.slice(1, -1).split("L").map((spot) => spot.split(",").map(Number) as [number, number]);
  const [xs, ys] = [spots.map(([x]) => x), spots.map(([, y]) => y)];
  return [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
};

test("what is outlined reaches as far as it does, around a pole as far as the plot", () => {
  const { x, y } = spotOf(swiss, ZURICH);
  const [west, east, north, south] = reach(outline(swiss, { point: ZURICH, km: 20 }));
  const px = 20 / 111.195 / swiss.scale;
  expect([west, east, north, south].map((one) => Math.round(one))).toEqual([x - px, x + px, y - px, y + px].map((one) => Math.round(one)));
  const earth = viewOf([], SIZE);
  const [left, right, top] = reach(outline(earth, { point: { lat: 80, lon: 30 }, km: 3_000 }));
  expect(right - left).toBeCloseTo(360 / earth.scale, 0);
  expect(top).toBeCloseTo(0);
  const across = reach(outline(viewOf([{ lat: 0, lon: 179 }, { lat: 1, lon: -179 }], SIZE), { from: { lat: 0, lon: 179 }, to: { lat: 1, lon: -179 } }));
  expect(across[1] - across[0]).toBeLessThan(SIZE.width);
});

test("lines have even numbers and names, none of them twice", () => {
  const { lats, lons } = linesOf(swiss);
  expect(lats.map(({ told }) => told)).toContain("47.2° N");
  expect(lons.map(({ told }) => told)).toContain("8° E");
  const pacific = linesOf(viewOf([{ lat: 0, lon: 175 }, { lat: 0, lon: -175 }], SIZE)).lons.map(({ told }) => told);
  expect(new Set(pacific).size).toBe(pacific.length);
  expect(pacific).toContain("178° W");
});

test("keys move what is drawn and change its size; where nothing is, it begins in the middle", () => {
  const begun = byKey("ArrowUp", swiss, "circle", null);
  expect(begun).toMatchObject({ point: pointAt(swiss, { x: 400, y: 128 }) });
  const circle = { point: ZURICH, km: 10 };
  expect((byKey("ArrowUp", swiss, "circle", circle) as typeof circle).point.lat).toBeGreaterThan(47.37);
  expect((byKey("ArrowLeft", swiss, "circle", circle) as typeof circle).point.lon).toBeLessThan(8.54);
  expect(byKey("+", swiss, "circle", circle)).toEqual({ point: ZURICH, km: 12.5 });
  expect(byKey("-", swiss, "circle", circle)).toEqual({ point: ZURICH, km: 8 });
  expect(byKey("n", swiss, "circle", circle)).toBeNull();
});

test("a moved box keeps its size, and goes over the date line, but over no pole", () => {
  const view = viewOf([{ lat: 80, lon: 170 }, { lat: 89, lon: -170 }], SIZE);
  let box: Area | null = { from: { lat: 80, lon: 170 }, to: { lat: 82, lon: 178 } };
  for (let press = 0; press < 7 && box !== null; press += 1) box = byKey("ArrowRight", view, "box", box);
  const { from, to } = box as { from: typeof BERN; to: typeof BERN };
  expect(to.lon).toBeLessThan(0);
  expect(widthOf({ from, to })).toBeCloseTo(8, 3);
  expect(to.lat - from.lat).toBeCloseTo(2, 3);
  for (let press = 0; press < 99 && box !== null; press += 1) box = byKey("ArrowUp", view, "box", box);
  expect(box).toBeNull();
  expect(byKey("+", swiss, "box", { from: BERN, to: ZURICH })).toMatchObject({ from: { lat: expect.closeTo(46.8975) as number }, to: { lat: expect.closeTo(47.4225) as number } });
});

test("shifted arrows move the plot; all of a circle is to be seen", () => {
  expect(panned("ArrowRight", swiss)?.middle.lon).toBeGreaterThan(swiss.middle.lon);
  expect(panned("x", swiss)).toBeNull();
  const lats = extentOf({ point: ZURICH, km: 111.195 }).map(({ lat }) => lat);
  expect(Math.max(...lats)).toBeCloseTo(48.37, 2);
  expect(Math.min(...lats)).toBeCloseTo(46.37, 2);
});
