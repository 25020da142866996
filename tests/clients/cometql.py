"""cometql.py HOST PORT PASSWORD: the site in Python, by PyMySQL."""

import sys

import pymysql

host, port, password = sys.argv[1], int(sys.argv[2]), sys.argv[3]
where = dict(host=host, port=port, user="15", database="CometQL_v1", charset="utf8mb4")
text = "it's \"quoted\"\\ \n\U0001F637 \0 % _"

db = pymysql.connect(password=password, **where)
cursor = db.cursor()
assert cursor.execute("REPLACE INTO users_data (id, data) VALUES (%s, %s)", (201, text)) == 1
assert cursor.lastrowid == 201
rows = [(i, f"hash{i}") for i in range(202, 702)]
assert cursor.executemany("INSERT INTO users_auth (id, hash) VALUES (%s, %s)", rows) == 500
cursor.execute("SELECT data FROM users_data WHERE id = %s", (201,))
assert cursor.fetchall() == ((text,),)
cursor.execute("SELECT COUNT(*) FROM users_auth WHERE id IN %s", ([i for i, _ in rows],))
assert cursor.fetchone() == (500,)
db.commit()
db.rollback()
db.ping()
try:
    cursor.execute("SELECT * FROM nothing WHERE id = 1")
    raise SystemExit("a table that is not there was read")
except pymysql.Error as error:
    assert error.args[0] == 15, error
assert cursor.execute("DELETE FROM users_auth WHERE id IN %s", ([i for i, _ in rows],)) == 500
db.close()
try:
    pymysql.connect(password="wrong", **where)
    raise SystemExit("a wrong password opened")
except pymysql.Error as error:
    assert error.args[0] == 16, error
