//! Lists, a page at a time.

use uuid::Uuid;

/// Which part of a list to read. Lists are ordered by id, which is the order of creation unless they say
/// otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The last id of the page before; none for the first page.
    pub cursor: Option<Uuid>,
    /// How many items at most.
    pub limit: u32,
}

impl Page {
    /// Everything from the start, up to `limit` items.
    pub fn first(limit: u32) -> Self {
        Self { cursor: None, limit }
    }

    pub(crate) fn after(self) -> Uuid {
        self.cursor.unwrap_or(Uuid::nil())
    }

    /// For lists that begin with what is newest.
    pub(crate) fn before(self) -> Uuid {
        self.cursor.unwrap_or(Uuid::max())
    }

    /// One more than asked for, so that a last page is known as such.
    pub(crate) fn rows(self) -> i64 {
        i64::from(self.limit) + 1
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page; none when this is the last.
    pub next: Option<Uuid>,
}

impl<T> Listed<T> {
    pub(crate) fn cut(mut items: Vec<T>, page: Page, id: impl Fn(&T) -> Uuid) -> Self {
        let more = items.len() > page.limit as usize;
        items.truncate(page.limit as usize);
        let next = if more { items.last().map(id) } else { None };
        Self { items, next }
    }
}
