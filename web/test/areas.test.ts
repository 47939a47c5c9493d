import { expect, test } from "vitest";

import type { Hit } from "../src/client/contract.ts";
import { readPlace } from "../src/search/address.ts";
import type { Area, TypedArea } from "../src/search/areas.ts";
import { areaOf, conditionOf, pointsOf, readArea, readTypedArea, typedArea, withArea, wordsOfArea, writeArea } from "../src/search/areas.ts";
import { filteredOf, filterOf, UNFILTERED } from "../src/search/conditions.ts";
import { OUTSIDE, readPoint, UNREADABLE } from "../src/search/coordinates.ts";
import { distanceKm, nearOf, widthKm } from "../src/search/near.ts";
import type { Request } from "../src/search/finder.ts";
import { dotsOf, plotted } from "../src/search/on-plot.ts";
import { wordsOf } from "../src/search/past.ts";

const ZURICH = { lat: 47.37, lon: 8.54 };
const FIJI = { from: { lat: -20, lon: 177 }, to: { lat: -15, lon: -178 } };

test.each<[string, number, number]>([
  ["47.37, 8.54", 47.37, 8.54],
  ["  47.37 8.54 ", 47.37, 8.54],
  ["47.37;-8.54", 47.37, -8.54],
  ["−33.9/151.2", -33.9, 151.2],
  ["47.37° N, 8.54° E", 47.37, 8.54],
  ["47.37°n8.54°e", 47.37, 8.54],
  ["8.54 E 47.37 N", 47.37, 8.54],
  ["N 47.37 E 8.54", 47.37, 8.54],
  ["W8.54°, S47.37°", -47.37, -8.54],
  ["47°22'12\" N 8°32'24\" E", 47.37, 8.54],
  ["47° 22′ 12″ S, 8° 32′ 24″ W", -47.37, -8.54],
  ["-0°30', 0°15'", -0.5, 0.25],
  ["geo:47.37,8.54", 47.37, 8.54],
  ["(47.37, 8.54)", 47.37, 8.54],
  ["-0, 0", 0, 0],
  ["90, -180", 90, -180],
])("%s is read as %d, %d", (text, lat, lon) => expect(readPoint(text)).toEqual({ lat, lon }));

test.each(["", "47.37", "47,37 8,54", "47.37, 8.54, 3", "Zürich", "47 N 8 N", "E 8 W 8", "-47 N, 8 E", "47°60' N 8° E", "47.37 8.54 km", "1e1, 2"])("%s is no place", (text) =>
  expect(readPoint(text)).toBe(UNREADABLE),
);

test.each(["91, 8", "-90.1, 8", "47, 180.5"])("%s is not on the earth", (text) => expect(readPoint(text)).toBe(OUTSIDE));

const ROWS: readonly (readonly [Area, object, string])[] = [
  [{ point: ZURICH, km: 5 }, { geo_radius: { center: { lon: 8.54, lat: 47.37 }, radius: 5000 } }, "place within 5 km of 47.37, 8.54"],
  [{ point: ZURICH, km: 8.54 }, { geo_radius: { center: { lon: 8.54, lat: 47.37 }, radius: 8540 } }, "place within 8.54 km of 47.37, 8.54"],
  [
    FIJI,
    { geo_bounding_box: { top_left: { lon: 177, lat: -15 }, bottom_right: { lon: -178, lat: -20 } } },
    "place between -20, 177 and -15, -178",
  ],
];

test.each(ROWS)("%o is the condition %o and is read from it, from the address and in words", (area, condition, words) => {
  expect(conditionOf("place", area)).toEqual({ key: "place", ...condition });
  expect(areaOf(condition)).toEqual(area);
  expect(readArea(writeArea(area))).toEqual(area);
  expect(wordsOfArea("place", area)).toBe(words);
  const filtered = { ...UNFILTERED, areas: [["place", area] as const] };
  expect(filteredOf(filterOf(filtered))).toEqual(filtered);
  const search = { query: { text: "sea" }, filter: filterOf(filtered) };
  expect(wordsOf({ at: "", job: "j", collection: "c", by: null, slot: null, picture: false, search })).toBe(`sea · ${words}`);
});

test.each(["", "47.37,8.54", "47.37,8.54,0km", "47.37,8.54,-1km", "47.37,8.54,30001km", "47.37,8.54,km", "91,0,1km", "1,2..", "..1,2", "2,1..1,2", "1,1..1,2", "1,2..3,4..5,6"])(
  "%s in the address is no area",
  (text) => expect(readArea(text)).toBeNull(),
);

test("of several areas of a field in the address the last counts; one without a field is passed over", () => {
  expect(readPlace("?a=place:1,2,3km&a=:1,2,3km&a=x:y&a=place:1,2,4km").areas).toEqual([["place", { point: { lat: 1, lon: 2 }, km: 4 }]]);
});

test.each<["circle" | "box", TypedArea, object]>([
  ["circle", { around: "", km: "x" }, { value: null, wrong: null }],
  ["circle", { around: "Zürich", km: "5" }, { value: null, wrong: UNREADABLE, at: ["around"] }],
  ["circle", { around: "47.37, 8.54", km: "" }, { value: null, at: ["km"] }],
  ["circle", { around: "47.37, 8.54", km: " 2e1 " }, { value: { point: ZURICH, km: 20 }, wrong: null }],
  ["box", { from: " ", to: "" }, { value: null, wrong: null }],
  ["box", { from: "1, 2", to: "" }, { value: null, at: ["to"], unfinished: true }],
  ["box", { from: "3, 2", to: "1, 4" }, { value: null, at: ["from", "to"] }],
  ["box", { from: "1, 2", to: "91, 4" }, { value: null, wrong: OUTSIDE, at: ["to"] }],
  ["box", { from: "1, 2", to: "3, 4" }, { value: { from: { lat: 1, lon: 2 }, to: { lat: 3, lon: 4 } }, wrong: null }],
])("as a %s, %o is read", (shape, typed, reading) => expect(readTypedArea(shape, typed)).toMatchObject(reading));

test("what is asked for stands in the inputs of its shape; before that a radius alone", () => {
  expect(typedArea("circle", { point: ZURICH, km: 5 })).toEqual({ around: "47.37, 8.54", km: "5" });
  expect(typedArea("circle", FIJI)).toEqual({ around: "", km: "10" });
  expect(typedArea("box", FIJI)).toEqual({ from: "-20, 177", to: "-15, -178" });
  expect(withArea(withArea([], "a", FIJI), "a", null)).toEqual([]);
});

test("places are read from payloads: one, several, in an object, and none", () => {
  expect(pointsOf({ place: ZURICH }, "place")).toEqual([ZURICH]);
  expect(pointsOf({ place: [ZURICH, { lat: 91, lon: 0 }, "x"] }, "place")).toEqual([ZURICH]);
  expect(pointsOf({ shot: { at: ZURICH } }, "shot.at")).toEqual([ZURICH]);
  expect(pointsOf({ place: null }, "place")).toEqual([]);
  expect(pointsOf(undefined, "place")).toEqual([]);
});

test("distances are those of the earth", () => {
  expect(distanceKm(ZURICH, { lat: 46.95, lon: 7.45 })).toBeCloseTo(94.6, 0);
  expect(distanceKm({ lat: 0, lon: 179.5 }, { lat: 0, lon: -179.5 })).toBeCloseTo(111.2, 1);
  expect(distanceKm({ lat: 90, lon: 0 }, { lat: -90, lon: 50 })).toBeCloseTo(20_015, 0);
});

test("near is as wide as some of those shown lie, or as the circle that is there", () => {
  const shown = Array.from({ length: 9 }, (_, place) => ({ where: { lat: 47.37 + place / 100, lon: 8.54 } }));
  const fields = { label: "keyword", other: "geo", where: "geo" } as const;
  const near = (areas: Parameters<typeof nearOf>[1]["areas"]): unknown => nearOf(shown[0], { fields, areas, shown });
  expect(near([])).toEqual({ field: "where", circle: { point: ZURICH, km: 10 } });
  expect(near([["where", { point: FIJI.from, km: 3 }]])).toEqual({ field: "where", circle: { point: ZURICH, km: 3 } });
  expect(nearOf({ label: "x" }, { fields, areas: [], shown })).toBeNull();
  expect(widthKm(ZURICH, [])).toBe(10);
  expect(widthKm(ZURICH, Array<typeof ZURICH>(8).fill({ lat: -47, lon: 170 }))).toBe(1_000);
});

test("what a circle took away stays among the dots, until something else is asked", () => {
  const hit = (id: number): Hit => ({ id, score: 1, source: "", payload: { label: `n${id}`, place: { lat: id, lon: id } } });
  const asked = (text: string, area: Area | null): Request => {
    const filter = filterOf({ ...UNFILTERED, areas: area === null ? [] : [["place", area]] });
    return { collection: "c", query: { text }, ...(filter && { filter }) };
  };
  const first = plotted({ question: "", now: new Set(), hits: [] }, asked("cat", null), [hit(1), hit(2)]);
  const within = plotted(first, asked("cat", FIJI), [hit(2)]);
  expect(dotsOf(within, "place").map(({ name, now }) => [name, now])).toEqual([["n1", false], ["n2", true]]);
  expect(plotted(within, asked("cat", FIJI), [hit(2)])).toBe(within);
  expect(dotsOf(plotted(within, asked("dog", FIJI), [hit(2)]), "place")).toHaveLength(1);
});
