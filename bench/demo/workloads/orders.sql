-- An in-memory database: two tables, an index, joins, groups, updates, deletes.
PRAGMA cache_size = -65536;
CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE sale(id INTEGER PRIMARY KEY, customer INTEGER, item TEXT, cents INTEGER, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
INSERT INTO customer SELECT i, printf('customer-%05d', i), printf('city-%d', i * 7919 % 97) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 160000)
INSERT INTO sale SELECT i, 1 + i * 7919 % 5000, printf('item-%d', i * 104729 % 1013),
                        100 + i * 31 % 9973, substr('all the text of a note that a clerk wrote', 1 + i % 20)
                 FROM n;
CREATE INDEX sale_by_item ON sale(item, cents);
CREATE INDEX sale_by_customer ON sale(customer);
SELECT item, count(*), sum(cents), group_concat(DISTINCT note) FROM sale
  GROUP BY item ORDER BY sum(cents) DESC LIMIT 20;
SELECT city, count(*), sum(cents), avg(length(note)) FROM sale JOIN customer ON customer.id = sale.customer
  GROUP BY city ORDER BY 3 DESC LIMIT 20;
UPDATE sale SET note = upper(note) || ' - checked' WHERE id % 3 = 0;
DELETE FROM sale WHERE item LIKE 'item-1%' AND cents < 3000;
SELECT json_group_array(json_object('name', name, 'bought', bought)) FROM (
  SELECT name, count(*) AS bought FROM sale JOIN customer ON customer.id = sale.customer
  GROUP BY customer.id ORDER BY bought DESC, name LIMIT 50);
SELECT count(*), sum(length(note)), count(DISTINCT note) FROM sale;
