// The sessions that the server can show, with their names, which its status does not have.

/** `[{key, title}]`, oldest first. Throws without an answer: whoever asks has the keys from the status, and goes on. */
export async function listedSessions() {
  const { sessions } = await (await fetch("/api/sessions")).json();
  return sessions.map(({ session_key: key, meeting, name }) => ({ key, title: `${meeting}: ${name}` }));
}
