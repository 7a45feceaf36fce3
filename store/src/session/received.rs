//! The statements behind packet ids that a client has used and not yet released.

use crate::engine::Tx;
use crate::error::Result;

impl Tx {
    pub(super) async fn insert_received(&mut self, received: &[(u64, u16)]) -> Result<()> {
        const SQLITE: &str = "INSERT INTO session_received (session, packet, organization)
            SELECT s.id, row.value ->> 1, s.organization
            FROM json_each($1) AS row CROSS JOIN sessions s ON s.id = row.value ->> 0 WHERE true
            ON CONFLICT (session, packet) DO NOTHING";
        const POSTGRES: &str = "INSERT INTO session_received (session, packet, organization)
            SELECT s.id, row.packet, s.organization
            FROM UNNEST($1::BIGINT[], $2::BIGINT[]) AS row (session, packet) JOIN sessions s ON s.id = row.session
            ON CONFLICT (session, packet) DO NOTHING";
        self.with_pairs(SQLITE, POSTGRES, &pairs(received)).await
    }

    pub(super) async fn delete_received(&mut self, completed: &[(u64, u16)]) -> Result<()> {
        const SQLITE: &str = "DELETE FROM session_received WHERE (session, packet) IN
            (SELECT value ->> 0, value ->> 1 FROM json_each($1))";
        const POSTGRES: &str = "DELETE FROM session_received r
            USING UNNEST($1::BIGINT[], $2::BIGINT[]) AS row (session, packet)
            WHERE r.session = row.session AND r.packet = row.packet";
        self.with_pairs(SQLITE, POSTGRES, &pairs(completed)).await
    }
}

fn pairs(packets: &[(u64, u16)]) -> Vec<(i64, i64)> {
    packets.iter().map(|(session, packet)| (*session as i64, i64::from(*packet))).collect()
}
