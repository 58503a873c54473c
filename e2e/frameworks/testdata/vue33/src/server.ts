import { renderToString } from "@vue/server-renderer";
import { createSSRApp } from "vue";
import App from "./App.vue";

console.log(await renderToString(createSSRApp(App)));
