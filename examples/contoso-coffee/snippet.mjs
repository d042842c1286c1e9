// @ts-check
/** The tracking script. It stands here exactly as a customer pastes it into the <head>: nothing else knows the product. */
export const snippet = `<script>(function(w,d,o){})(window,document,{src:"/_msci/msci.js",name:"MSCI",cfg:{ingestionKey:"local",endpointUrl:"/_msci/",autoCapture:{view:true,click:true}}});</script>`;
