// @ts-check
/** The range: six machines, their reviews, and the plans for beans. Prices are whole euros. */
import { reviews } from "./reviews.mjs";

/** @typedef {"basic" | "premium"} Range */
/** @typedef {{ slug: string, range: Range, name: string, tagline: string, story: string, price: number, picture: string, specs: [string, string][] }} Product */

/** @type {readonly Product[]} */
export const products = [
  {
    slug: "pico-drip", range: "basic", name: "Pico Drip", price: 79,
    tagline: "Six cups, one switch.",
    story: "Fill it, flip it, forget it. The shower head wets every bean in the basket and the plate keeps the carafe warm for forty minutes, then switches itself off.",
    picture: "Sage green filter machine with a glass carafe of coffee",
    specs: [["Makes", "Filter coffee, 2 to 6 cups"], ["Ready in", "6 minutes"], ["Tank", "0.9 l, removable"], ["Size", "24 × 19 × 31 cm"], ["Power", "900 W"]],
  },
  {
    slug: "lumo-single", range: "basic", name: "Lumo Single", price: 119,
    tagline: "A slow pour, without the standing about.",
    story: "Lumo pours in pulses, the way you would with a kettle and a lot of patience. One ceramic cone, one cup, no capsules.",
    picture: "Terracotta pour-over machine dripping into a cream mug",
    specs: [["Makes", "Pour-over, 1 cup"], ["Ready in", "3 minutes"], ["Tank", "1.1 l, glass"], ["Size", "30 × 16 × 36 cm"], ["Power", "1,100 W"]],
  },
  {
    slug: "tempo-espresso", range: "basic", name: "Tempo Espresso", price: 189,
    tagline: "Your first real espresso.",
    story: "A 15 bar pump, a proper 54 mm portafilter and a wand that makes milk silky. Small enough for a studio kitchen, honest enough to learn on.",
    picture: "Blue compact espresso machine pulling a shot",
    specs: [["Makes", "Espresso, cappuccino"], ["Ready in", "45 seconds"], ["Tank", "1.2 l"], ["Size", "26 × 24 × 33 cm"], ["Power", "1,350 W"]],
  },
  {
    slug: "aurora-dual-boiler", range: "premium", name: "Aurora Dual Boiler", price: 1890,
    tagline: "Shot and steam at once, to the tenth of a degree.",
    story: "Two stainless boilers, each with its own controller, hold brew water within 0.1 °C while you steam. Walnut panels from one tree, so no two machines look quite alike.",
    picture: "Steel dual boiler espresso machine with walnut side panels and two gauges",
    specs: [["Boilers", "0.6 l brew, 1.4 l steam"], ["Group", "58 mm, saturated"], ["Temperature", "PID, ± 0.1 °C"], ["Size", "38 × 44 × 40 cm"], ["Warranty", "10 years"]],
  },
  {
    slug: "solstice-lever", range: "premium", name: "Solstice Lever", price: 2450,
    tagline: "No pump. No noise. Only you.",
    story: "A spring, a lever and a copper boiler that is spun by hand in Bergamo. Pull down, feel the resistance, let it rise: the pressure falls the way good espresso likes it.",
    picture: "Copper lever espresso machine with a tall walnut-gripped lever",
    specs: [["Boiler", "1.8 l, hand-spun copper"], ["Group", "55 mm spring lever"], ["Pressure", "9 to 6 bar, falling"], ["Size", "32 × 40 × 68 cm"], ["Warranty", "10 years"]],
  },
  {
    slug: "meridian-auto", range: "premium", name: "Meridian Auto", price: 1390,
    tagline: "From bean to cup while you find your keys.",
    story: "Weighs the beans, grinds them, tastes its own shot by conductivity and corrects the next one. Cleans its milk path by itself, every night at two.",
    picture: "Graphite bean-to-cup machine with a hopper of beans and a milk jug",
    specs: [["Drinks", "14, each adjustable"], ["Grinder", "Steel burrs, 30 steps"], ["Hopper", "350 g"], ["Size", "28 × 45 × 42 cm"], ["Warranty", "5 years"]],
  },
];

/** @type {Readonly<Record<Range, { name: string, title: string, text: string }>>} */
export const ranges = {
  basic: { name: "Basic machines", title: "Good coffee, nothing extra.", text: "Three machines that do one thing well, fit on a small counter and cost less than a month of takeaway cups." },
  premium: { name: "Premium machines", title: "Built to outlive the kitchen.", text: "Three machines for people who taste the difference. Assembled by hand, repairable to the last screw, delivered with an hour of training." },
};

/** @param {Range} range */
export const inRange = (range) => products.filter((p) => p.range === range);

/** @param {string} slug */
export const bySlug = (slug) => products.find((p) => p.slug === slug);

/** @param {Product} p */
export const pathOf = (p) => `/coffee-machines/${p.range}/${p.slug}`;

/** Average of the reviews' stars, to one decimal. @param {Product} p */
export function rating(p) {
  const of = reviewsOf(p);
  return { count: of.length, stars: Math.round((of.reduce((sum, r) => sum + r.stars, 0) / of.length) * 10) / 10 };
}

/** @param {Product} p */
export const reviewsOf = (p) => reviews[p.slug] ?? [];

/** @param {string} words every one has to occur */
export function find(words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return [];
  return products.filter((p) => {
    const text = `${p.name} ${p.tagline} ${p.story} ${ranges[p.range].name} ${p.specs.flat().join(" ")}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}

const euros = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR", maximumFractionDigits: 0 });
/** @param {number} amount */
export const money = (amount) => euros.format(amount);

export const plans = [
  { name: "Pay as you go", price: "€14", per: "a bag of 250 g", image: "plan-pay-as-you-go", picture: "One bag of beans", best: false, points: ["Roasted the day you order", "Any of our nine coffees", "Free delivery from two bags"] },
  { name: "Bean club", price: "€24", per: "a month, two bags", image: "plan-bean-club", picture: "Two bags of beans", best: true, points: ["A new origin every month", "Ground for your machine, or whole", "Skip or stop whenever you like", "Descaler twice a year, on us"] },
  { name: "Office", price: "€140", per: "a month, for up to 20 people", image: "plan-office", picture: "A crate of bean bags", best: false, points: ["Ten kilos, delivered weekly", "A Meridian Auto on loan", "A technician within one working day"] },
];
