// All of these statements or none. The worker crate has no binding for transactionSync, and one call
// with plain data crosses into JavaScript once instead of once a statement.
export function transaction(storage, statements) {
  storage.transactionSync(() => {
    for (const [query, ...parameters] of statements) storage.sql.exec(query, ...parameters);
  });
}

// Everything that is there, in a new file: freed pages of a file keep their bytes, and only a deletion of all of it
// leaves none. Nothing is awaited in between; still the local runtime empties the file at once and commits what is
// written anew a moment later, so nothing may be owed by then (`wants_renewal`). Answers nothing where there are more
// rows than `most`. The alarm stays (`compatibility_flags` of wrangler.toml): whatever ends this object
// before it has done what it owes, it is woken for it.
export function renew(storage, most) {
  const { sql } = storage;
  const made = sql.exec("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND substr(name, 1, 4) <> '_cf_'").toArray();
  const tables = made.filter(({ type }) => type === "table");
  const rows = tables.map(({ name }) => [...sql.exec(`SELECT * FROM "${name}" LIMIT ${most + 1}`).raw()]);
  if (rows.some(({ length }) => length > most)) return undefined;
  const gone = storage.deleteAll();
  for (const { sql: text } of [...tables, ...made.filter(({ type }) => type !== "table")]) sql.exec(text);
  tables.forEach(({ name }, at) => {
    for (const row of rows[at]) sql.exec(`INSERT INTO "${name}" VALUES (${row.map(() => "?").join()})`, ...row);
  });
  return gone;
}
