"""tls.py HOST PORT PASSWORD CA: the site in Python, by PyMySQL over TLS."""

import sys

import pymysql

host, port, password, ca = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
where = dict(host=host, port=port, user="15", password=password, database="CometQL_v1")

db = pymysql.connect(ssl={"ca": ca}, **where)
cursor = db.cursor()
cursor.execute("SELECT VERSION()")
assert "clinicall" in cursor.fetchone()[0]
db.close()
try:
    # no such certificate among the system's
    pymysql.connect(ssl_verify_cert=True, ssl_verify_identity=True, **where)
    raise SystemExit("a certificate that nobody knows was believed")
except pymysql.Error as error:
    assert error.args[0] == 2003, error
