import App from "./App.svelte";

// What a component is under Node.js.
const { render } = App as unknown as { render(): { html: string } };
console.log(render().html);
