<?php
// php cometql.php HOST PORT PASSWORD: the site in PHP, by mysqli and by PDO.

[, $host, $port, $password] = $argv;
$text = "it's \"quoted\"\\ \n\u{1F637} \0 % _";

function same($got, $wanted, $what) {
    if ($got !== $wanted) {
        fwrite(STDERR, "$what: " . var_export($got, true) . " is not " . var_export($wanted, true) . "\n");
        exit(1);
    }
}

mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$db = new mysqli($host, 'root', $password, 'CometQL_v1', (int) $port);
$db->set_charset('utf8mb4');
$db->query("INSERT INTO users_auth (id, hash) VALUES (101, 'one'), (102, 'two')");
same([$db->affected_rows, $db->insert_id], [2, 101], 'rows and id of an INSERT');
same($db->query('SELECT * FROM users_auth WHERE id IN (101, 102, 103) ORDER BY id DESC')->fetch_all(MYSQLI_ASSOC),
    [['id' => '102', 'hash' => 'two'], ['id' => '101', 'hash' => 'one']], 'SELECT');
$insert = $db->prepare('REPLACE INTO users_data (id, data) VALUES (?, ?)');
$id = 101;
$insert->bind_param('is', $id, $text);
$insert->execute();
$insert->execute();
$insert->close();
$select = $db->prepare('SELECT data FROM users_data WHERE id = ?');
$select->bind_param('s', $id);
$select->execute();
same($select->get_result()->fetch_row(), [$text], 'a prepared SELECT');
$select->close();
$db->query("REPLACE INTO users_data (id, data) VALUES (102, '" . $db->real_escape_string($text) . "')");
same($db->query('SELECT data FROM users_data WHERE id = 102')->fetch_row(), [$text], 'an escaped string');
foreach ([
    'SELECT * FROM users_auth' => 13,
    'SELECT nothing FROM users_auth WHERE id = 1' => 14,
    'SELECT * FROM nothing WHERE id = 1' => 15,
    'DELETE FROM users_time WHERE id = 1' => 10,
    'SELEC' => 3,
    "INSERT INTO pipes_messages (name, message) VALUES ('ab', '')" => 17,
    "INSERT INTO pipes_messages (name, message) VALUES ('web room', '')" => 12,
    'SELECT * FROM users_auth WHERE id = ?' => 3,
] as $wrong => $code) {
    try {
        $db->query($wrong);
        same(0, $code, $wrong);
    } catch (mysqli_sql_exception $error) {
        same($error->getCode(), $code, $wrong);
    }
}
same($db->change_user('other', $password, 'db_15'), true, 'change_user');
same($db->query('SELECT USER()')->fetch_row(), ['other@%'], 'USER()');
$db->close();
try {
    new mysqli($host, 'root', 'wrong', 'CometQL_v1', (int) $port);
    same('let in', 'refused', 'a wrong password');
} catch (mysqli_sql_exception $error) {
    same($error->getCode(), 16, 'a wrong password');
}

foreach ([true, false] as $emulate) {
    $db = new PDO("mysql:host=$host;port=$port;dbname=CometQL_v1;charset=utf8mb4", 'root', $password, [
        PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
        PDO::ATTR_EMULATE_PREPARES => $emulate,
    ]);
    $db->beginTransaction();
    $insert = $db->prepare('INSERT INTO users_data (id, data) VALUES (:id, :data)');
    $insert->execute(['id' => 103, 'data' => $text]);
    same($insert->rowCount(), 1, 'rowCount');
    $db->commit();
    $select = $db->prepare('SELECT data FROM users_data WHERE id = ?');
    $select->execute([103]);
    same($select->fetchColumn(), $text, 'PDO');
    $select = $db->prepare('SELECT id, time FROM users_time WHERE id IN (?, ?) LIMIT 1');
    $select->execute([101, 102]);
    same($select->fetchAll(PDO::FETCH_ASSOC), [['id' => '101', 'time' => -1]], 'a number is a number');
    try {
        $db->exec('DELETE FROM users_time WHERE id = 1');
        same('done', 'refused', 'DELETE');
    } catch (PDOException $error) {
        same($error->errorInfo[1], 10, 'DELETE');
    }
}
$db->exec("DELETE FROM users_data WHERE id IN (101, 102, 103)");
