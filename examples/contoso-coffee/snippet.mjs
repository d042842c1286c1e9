// @ts-check
/** The tracking script. It stands here exactly as a customer pastes it into the <head>: nothing else knows the product. */
export const snippet = `<script>LOADER</script>`;
