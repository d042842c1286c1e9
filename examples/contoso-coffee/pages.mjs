// @ts-check
/** Every page of the shop, as a function of what it shows. */
export { account, signedOut, signIn } from "./pages/account.mjs";
export { cart, thanks } from "./pages/cart.mjs";
export { home } from "./pages/home.mjs";
export { about, notFound, pricing, problem } from "./pages/info.mjs";
export { document, snippetText, STRANGER } from "./pages/layout.mjs";
export { allMachines, machine, machineList, search } from "./pages/machines.mjs";
export { machineReviews, reviewList } from "./pages/reviews.mjs";
