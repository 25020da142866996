// A page of a clinic that was written for CppComet: it writes down what it hears.

const heard = [];

function hear(...names) {
  for (const name of names) {
    cometApi.subscription(name, ({ data, server_info: { pipe, event, user_id, history } }) =>
      heard.push({ name, data, pipe, event, user_id, history }),
    );
  }
}

async function wait(holds, what) {
  const end = performance.now() + 20000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`${what}; heard ${JSON.stringify(heard).slice(0, 2000)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// Whether the page is let in, once that is known.
async function enter(options) {
  cometApi.start({ node: location.host, wss: false, ...options });
  await wait(() => cometApi.isAuthorized() !== undefined, "no word about the login");
  return cometApi.isAuthorized();
}

const becomes = (authorized) => wait(() => cometApi.isAuthorized() === authorized, `not ${authorized}`);

const of = (name) => heard.filter((message) => message.name === name);

// What has come under that name, once it is so many; what came twice would come now.
async function until(name, count) {
  await wait(() => of(name).length >= count, `not ${count} of ${name}`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  return of(name);
}

const ask = (question, ...about) =>
  Promise.race([
    new Promise((resolve) => cometApi[question](...about, ({ data }) => resolve(data))),
    new Promise((_, reject) => setTimeout(() => reject(new Error(`no answer to ${question}`)), 20000)),
  ]);
