// stores.page.mjs in a Web Worker.
globalThis.onmessage = async ({ data: [run, ...args] }) => {
  const { [run]: act } = await import("/stores.page.mjs");
  postMessage(
    await act(...args).then(
      (value) => ({ value }),
      (error) => ({ error: error.message }),
    ),
  );
};
