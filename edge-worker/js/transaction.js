// All of these statements or none. The worker crate has no binding for transactionSync, and one call
// with plain data crosses into JavaScript once instead of once a statement.
export function transaction(storage, statements) {
  storage.transactionSync(() => {
    for (const [query, ...parameters] of statements) storage.sql.exec(query, ...parameters);
  });
}
