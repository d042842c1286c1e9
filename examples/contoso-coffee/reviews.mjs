// @ts-check
/** What customers wrote, by machine, newest first. */

/** @typedef {{ author: string, place: string, date: string, stars: number, title: string, text: string }} Review */

/** @type {Readonly<Record<string, readonly Review[]>>} */
export const reviews = {
  "pico-drip": [
    { author: "Hanna L.", place: "Utrecht", date: "2026-03-28", stars: 5, title: "Replaced a machine three times the price", text: "It is quiet, it is quick, and the carafe does not drip when you pour. The sage green is even nicer than on the picture." },
    { author: "Tomás R.", place: "Valencia", date: "2026-02-11", stars: 4, title: "Does what it says", text: "Six cups on a Sunday, two on a Monday. I would have liked a permanent filter in the box, but paper works." },
    { author: "Ingrid S.", place: "Bergen", date: "2025-12-19", stars: 4, title: "Good for the cabin", text: "Survived a winter of minus twenty in a cold kitchen. Switches itself off, which is what I bought it for." },
  ],
  "lumo-single": [
    { author: "Abbie M.", place: "Leeds", date: "2026-04-02", stars: 5, title: "My hands are free", text: "I pour by hand at weekends. On weekdays Lumo does it while I make lunch boxes, and honestly I cannot always tell which is which." },
    { author: "Jonas K.", place: "Leipzig", date: "2026-01-22", stars: 4, title: "Lovely cup, tall machine", text: "Measure your cupboard first: with the lid open it needs 48 cm. The coffee is clean and sweet." },
    { author: "Claire D.", place: "Lyon", date: "2025-11-30", stars: 5, title: "The ceramic makes it", text: "Keeps the heat, washes in seconds, and nothing to throw away but the paper." },
  ],
  "tempo-espresso": [
    { author: "Marta P.", place: "Porto", date: "2026-03-15", stars: 5, title: "Learned in a week", text: "Day one was sour, day three was bitter, day seven was breakfast. The leaflet about grinding is worth reading twice." },
    { author: "Owen T.", place: "Cardiff", date: "2026-02-27", stars: 4, title: "Milk takes a moment", text: "You wait half a minute between shot and steam. For this price I am not complaining." },
    { author: "Sofia B.", place: "Turin", date: "2026-01-09", stars: 4, title: "Approved by my mother", text: "Who is from Naples, so that should be enough of a review." },
  ],
  "aurora-dual-boiler": [
    { author: "Daniel W.", place: "Zürich", date: "2026-04-06", stars: 5, title: "The last machine I will buy", text: "Four flat whites in a row, the fourth as good as the first. I set the brew temperature for a light Kenyan to 94.5 and it simply stays there." },
    { author: "Elif A.", place: "Rotterdam", date: "2026-03-03", stars: 5, title: "Training was the surprise", text: "The hour at home with Paolo changed more than the machine did, and the machine changed a lot. It is heavy: have a friend there when it arrives." },
    { author: "Graham N.", place: "Edinburgh", date: "2026-01-17", stars: 4, title: "Superb, needs space", text: "Deeper than it looks. Pull it forward to fill the tank, or order the plumbing kit with it, which I did in the end." },
  ],
  "solstice-lever": [
    { author: "Yuki H.", place: "Antwerp", date: "2026-03-22", stars: 5, title: "Silence", text: "Nobody wakes up. There is only the click of the spring and the smell. It took me twenty shots to understand it, and I enjoyed nineteen." },
    { author: "Pierre M.", place: "Geneva", date: "2026-02-05", stars: 5, title: "A living thing", text: "Copper darkens where the hand goes. Ours already looks like it has always been here." },
    { author: "Carmen V.", place: "Seville", date: "2025-12-12", stars: 4, title: "Not for a hurry", text: "Needs twenty minutes to warm through. On the mornings when I have them, nothing comes close." },
  ],
  "meridian-auto": [
    { author: "Lukas F.", place: "Vienna", date: "2026-04-09", stars: 5, title: "Five people, five drinks, no queue", text: "Everyone has a profile on the round display. It remembered that I switch to decaf after three, which felt like being known." },
    { author: "Niamh O.", place: "Galway", date: "2026-03-11", stars: 4, title: "Grinder is louder than I thought", text: "For eight seconds, then it is over. The cleaning at night works: I have not touched the milk path in two months." },
    { author: "Bram J.", place: "Ghent", date: "2026-01-28", stars: 4, title: "Better than our corner café", text: "Sorry, corner café. The third cup was right, and all since then." },
  ],
};
