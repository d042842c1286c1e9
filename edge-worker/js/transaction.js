// All of these statements or none. The worker crate has no binding for transactionSync, and one call
// with plain data crosses into JavaScript once instead of once a statement.
export function transaction(storage, statements) {
  storage.transactionSync(() => {
    for (const [query, ...parameters] of statements) storage.sql.exec(query, ...parameters);
  });
}

// All tables and their rows, as text; nothing where one has more rows than `most`, or the text is longer than `length`.
export function contents({ sql }, most, length) {
  const made = sql.exec("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND substr(name, 1, 4) <> '_cf_'").toArray();
  const tables = made.filter(({ type }) => type === "table");
  const others = made.filter(({ type }) => type !== "table");
  const rows = tables.map(({ name }) => [name, [...sql.exec(`SELECT * FROM "${name}" LIMIT ${most + 1}`).raw()]]);
  if (rows.some(([, { length }]) => length > most)) return undefined;
  const text = JSON.stringify({ schema: [...tables, ...others].map((one) => one.sql), rows });
  return text.length > length ? undefined : text;
}

// Tables and rows out of such a text, where there are none.
export function fill(storage, text) {
  const { schema, rows } = JSON.parse(text);
  storage.transactionSync(() => {
    for (const statement of schema) storage.sql.exec(statement);
    for (const [name, all] of rows) {
      for (const row of all) storage.sql.exec(`INSERT INTO "${name}" VALUES (${row.map(() => "?").join()})`, ...row);
    }
  });
}

// The same contents in a new file, and nothing else: freed pages of a file keep their bytes, and only a deletion of all
// of it leaves none. Nothing is awaited in between: the platform makes one commit of it. The alarm stays
// (`compatibility_flags` of wrangler.toml): whatever ends this object before it has done what it owes, it is woken for it.
export function renew(storage, text) {
  const gone = storage.deleteAll();
  fill(storage, text);
  return gone.then(() => storage.sync());
}
