/** Whether two types are the same, down to what is optional or readonly. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** The names of the members that are not the same in both, or in one alone. */
export type Differences<A, B> = {
  [K in keyof A | keyof B]: K extends keyof A & keyof B ? (Same<Pick<A, K>, Pick<B, K>> extends true ? never : K) : K;
}[keyof A | keyof B];

/** Does not compile where there is one. */
export type None<T extends never> = T;

/** What a module exports, of which const says nothing to those who import it. */
export type Values<Module> = { -readonly [K in keyof Module]: Module[K] };
