import js from "@eslint/js";

export default [
  { ignores: ["dist/"] },
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      complexity: ["error", 10],
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "no-empty": ["error", { allowEmptyCatch: true }],
      "no-nested-ternary": "error",
      "no-undef": "off", // the compiler knows what is there
      "no-unused-vars": ["error", { ignoreRestSiblings: true }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
    },
  },
];
