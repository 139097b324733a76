ALTER TABLE following ADD COLUMN bookmarks_json TEXT NOT NULL DEFAULT '[]';
