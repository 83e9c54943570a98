/** Places to keep items, besides memory, that the tests of the resource run against. */
export const stores = {};
